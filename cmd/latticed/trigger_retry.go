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
			if a.Value.Preview != nil {
				return c.dryRetry(a.Value)
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
rules of the trigger. One that came again already does not come twice. --dry-run shows which
they are and what would become of each; how many may run at a time is not considered.
`
	cmd.Example = "  latticed trigger retry scans --dry-run\n  latticed trigger retry scans\n  latticed trigger retry scans --state skipped --confirm 1200"
	f := cmd.Flags()
	f.StringSliceVar(&r.Events, "event", nil, "only this one, the id that trigger events --ids prints (repeatable, or with commas)")
	f.StringSliceVar(&r.States, "state", nil, "of rejected, dead and skipped (repeatable, or with commas; default rejected,dead)")
	f.IntVar(&r.Confirm, "confirm", 0, "how many they are, when more than 1000")
	f.BoolVar(&r.DryRun, "dry-run", false, "only say what would come again, and what would become of it")
	return cmd
}

// dryRetry shows what a retry would do, and says that it did nothing.
func (c *cli) dryRetry(r client.Retried) error {
	if r.Retried == 0 {
		_, err := fmt.Fprintln(c.stdout, "no event to retry: none ended so, or it came again already")
		return err
	}
	return c.dryRun(client.Answer[client.Preview]{Value: *r.Preview}, nil)
}
