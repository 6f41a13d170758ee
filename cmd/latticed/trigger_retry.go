package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerRetry(c *cli) *cobra.Command {
	var r client.Retry
	cmd := c.onTrigger("retry NAME", "Let events that ended without a dispatch come again",
		func(ctx context.Context, api *client.Client, name string) error {
			a, err := api.RetryEvents(ctx, name, r)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			said := count(a.Value.Retried, "event") + " retried"
			if a.Value.Retried == 0 {
				said = "no event to retry: none ended so, or it came again already"
			}
			_, err = fmt.Fprintln(c.stdout, said)
			return err
		})
	cmd.Long = `Let events that ended without a dispatch come again, after what was wrong has been put
right: those that were rejected, since the inputs did not fit, and those that are dead,
since they could not be decided. Each comes again as a new event and goes through all the
rules of the trigger. One that came again already does not come twice.
`
	cmd.Example = "  latticed trigger retry scans\n  latticed trigger retry scans --state skipped --confirm 1200"
	f := cmd.Flags()
	f.StringSliceVar(&r.Events, "event", nil, "only this one, the id that trigger events --ids prints (repeatable, or with commas)")
	f.StringSliceVar(&r.States, "state", nil, "of rejected, dead and skipped (repeatable, or with commas; default rejected,dead)")
	f.IntVar(&r.Confirm, "confirm", 0, "how many they are, when more than 1000")
	return cmd
}
