package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newPrune(c *cli) *cobra.Command {
	var p client.Prune
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove old history now",
		Long: `Remove dispatches that have ended, the oldest first, with what belongs to them. What the
flags leave out is taken from [retention] in the configuration. Dispatches stay that are
marked keep, that a trigger redispatches or has made last, and those that one which has
not ended was made from.
`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Prune(cmd.Context(), p)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			did, would := a.Value, ""
			if p.DryRun {
				would = "would go: "
			}
			_, err = fmt.Fprintf(c.stdout, "%s%d dispatches with %s, %d firings, %d events, %d audit entries; %d dispatches stay although they are old enough\n",
				would, did.Dispatches, bytesText(did.Bytes), did.Firings, did.Events, did.Audit, did.Kept)
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&p.DryRun, "dry-run", false, "only say what would go")
	f.StringVar(&p.Age, "age", "", "what ended longer ago goes, such as 90d")
	f.Int64Var(&p.Count, "count", 0, "no more dispatches than this stay")
	f.StringVar(&p.Bytes, "bytes", "", "no more results, outputs and logs than this stay, such as 50GiB")
	return cmd
}
