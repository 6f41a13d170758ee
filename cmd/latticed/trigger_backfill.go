package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerBackfill(c *cli) *cobra.Command {
	var b client.Backfill
	cmd := c.onTrigger("backfill NAME", "Make events of what was there before the trigger",
		func(ctx context.Context, api *client.Client, name string) (err error) {
			b := b
			if b.Path != "" {
				if b.Path, err = filepath.Abs(b.Path); err != nil {
					return err
				}
			}
			if b.Since, err = instant("since", b.Since); err != nil {
				return err
			}
			if b.Until, err = instant("until", b.Until); err != nil {
				return err
			}
			a, err := api.BackfillTrigger(ctx, name, b)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			return c.showBackfill(a.Value, b.DryRun)
		})
	cmd.Long = `Make events of what was there before the trigger: of files and folders as if they came
now, of the clock as if its times were now. What is an event already makes none. The
events go through the rules of the trigger, so that no more run at a time than it allows.
`
	cmd.Example = "  latticed trigger backfill scans --since 30d --dry-run"
	f := cmd.Flags()
	f.StringVar(&b.Path, "path", "", "only this file, or what is in this folder")
	f.StringVar(&b.Since, "since", "", "changed, or due, at or after: an instant, or a duration ago such as 2h")
	f.StringVar(&b.Until, "until", "", "changed, or due, before: an instant, or a duration ago")
	f.IntVar(&b.Confirm, "confirm", 0, "how many new events there will be, when more than 1000")
	f.BoolVar(&b.DryRun, "dry-run", false, "only count")
	return cmd
}

func (c *cli) showBackfill(b client.Backfilled, dry bool) error {
	said := count(b.Emitted, "new event")
	switch left := b.Found - b.Known - b.Emitted; {
	case dry:
		said = "there would be " + said
	case left > 0: // it waits for the events before to be decided
		said += fmt.Sprintf(" so far, %d follow by themselves as older ones are decided", left)
	}
	_, err := fmt.Fprintf(c.stdout, "%s; of %d found, %d %s known already\n", said, b.Found, b.Known, wasWere(b.Known))
	return err
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
