package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

// restored tells whether the state directory was restored from a backup and nobody has
// let it go on yet.
func (d *daemon) restored(ctx context.Context) (bool, error) {
	h, held, err := d.store.Held(ctx)
	if err != nil {
		return false, fmt.Errorf("read whether the state directory was restored: %w", err)
	}
	if held {
		d.log.Warn().Time("restored", h.Since).Time("backup", h.Backup).
			Msg("restored from a backup: everything is held; latticed hold tells what would happen, latticed hold --end lets it go on")
	}
	return held, nil
}

// foretellAfter gives the triggers time to find what they have missed.
const foretellAfter = 10 * time.Second

// foretell logs what would happen if the hold were ended, once, and waits for ctx.
func (d *daemon) foretell(ctx context.Context) error {
	t := time.NewTimer(foretellAfter)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
		if all, err := d.triggers.Standings(ctx); err == nil && d.triggers.Held() {
			for _, s := range all {
				d.log.Info().Str(keyTrigger, s.Name).Int64("pending", s.Pending).Int64("would_fire", s.WouldFire).Str(keyReason, s.Note).Msg("held since the restore")
			}
		}
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

func newHold(c *cli) *cobra.Command {
	var end bool
	cmd := &cobra.Command{
		Use:   "hold",
		Short: "Show what a daemon that was restored from a backup would do, or let it go on",
		Long: `A daemon on a state directory that was restored from a backup starts held: no electron
starts, and what triggers see is recorded and held. This command tells what would happen
if it went on; --end lets it. To drop what one trigger holds, first:
  latticed trigger pause NAME && latticed trigger resume NAME --backlog skip
`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			if end {
				return c.endHold(cmd.Context(), api)
			}
			return c.showHold(cmd.Context(), api)
		},
	}
	cmd.Flags().BoolVar(&end, "end", false, "let it go on")
	return cmd
}

func (c *cli) endHold(ctx context.Context, api *client.Client) error {
	a, err := api.Hold(ctx, 1, "")
	if err != nil {
		return err
	}
	if err := api.EndHold(ctx); err != nil || c.json {
		return err
	}
	said := "nothing was held"
	if a.Value.Held {
		said = "it goes on"
	}
	_, err = fmt.Fprintln(c.stdout, said)
	return err
}

func (c *cli) showHold(ctx context.Context, api *client.Client) error {
	a, err := api.Hold(ctx, maxPage, "")
	if err != nil {
		return err
	}
	h := a.Value
	for next := h.Next; next != nil; {
		more, err := api.Hold(ctx, maxPage, *next)
		if err != nil {
			return err
		}
		h.Triggers = append(h.Triggers, more.Value.Triggers...)
		next = more.Value.Next
	}
	h.Next = nil
	if c.json {
		return c.indented(h)
	}
	if !h.Held {
		_, err := fmt.Fprintln(c.stdout, "nothing is held: the daemon was not restored, or goes on already")
		return err
	}
	fmt.Fprintf(c.stdout, "held: %s\n%s would go on\n", text(h.Reason), count(int(h.Dispatches), "dispatch"))
	if len(h.Triggers) == 0 {
		_, err := fmt.Fprintln(c.stdout, "no trigger has anything waiting\nlet it go on:  latticed hold --end")
		return err
	}
	rows := [][]string{}
	for _, t := range h.Triggers {
		rows = append(rows, []string{t.Name, strconv.FormatInt(t.Pending, 10), strconv.FormatInt(t.WouldFire, 10), t.Note})
	}
	if err := c.table([]string{"TRIGGER", "WAITING", "WOULD FIRE", "NOTE"}, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, "let it go on:  latticed hold --end")
	return err
}

// maxPage is what a page holds at most.
const maxPage = 500
