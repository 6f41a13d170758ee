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
			return c.showPruned(a.Value, p.DryRun)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&p.DryRun, "dry-run", false, "only say what would go")
	f.StringVar(&p.Age, "age", "", "what ended longer ago goes, such as 90d")
	f.Int64Var(&p.Count, "count", 0, "no more dispatches than this stay")
	f.StringVar(&p.Bytes, "bytes", "", "no more results, outputs and logs than this stay, such as 50GiB")
	return cmd
}

func (c *cli) showPruned(did client.Pruned, dry bool) error {
	went := "gone: "
	if dry {
		went = "would go: "
	}
	said := fmt.Sprintf("%s%s with %s, %s, %s, %d of the audit trail", went, count(int(did.Dispatches), "dispatch"), bytesText(did.Bytes),
		count(int(did.Firings), "firing"), count(int(did.Events), "event"), did.Audit)
	if did.Kept > 0 {
		said += fmt.Sprintf("; staying although old enough: %s, marked keep or needed by a trigger or another one", count(int(did.Kept), "dispatch"))
	}
	_, err := fmt.Fprintln(c.stdout, said)
	return err
}
