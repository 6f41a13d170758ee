package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerHook(c *cli) *cobra.Command {
	cmd := c.onTrigger("hook NAME", "Show where a webhook is delivered to",
		func(ctx context.Context, api *client.Client, name string) error {
			a, err := api.TriggerHook(ctx, name)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			rows := [][]string{{"path", a.Value.Path}}
			for _, need := range a.Value.Auth {
				rows = append(rows, []string{"needs", needs(need)})
			}
			return c.table(nil, c.wrapped(rows))
		})
	cmd.Long = `Show where a webhook is delivered to, which is below the address of the daemon, and
what a delivery needs. The path may be a secret: whoever knows it can deliver.
`
	return cmd
}

func needs(what string) string {
	switch what {
	case "path":
		return "path: its last part is a secret"
	case "signature":
		return "signature: made with the secret that both sides know"
	case "token":
		return "token: Authorization: Bearer, with role source for this trigger"
	}
	return what
}
