package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerFire(c *cli) *cobra.Command {
	var f client.Fire
	var payload string
	cmd := c.onTrigger("fire NAME", "Make an event by hand, or take one that was seen, and fire it at once",
		func(ctx context.Context, api *client.Client, name string) error {
			switch {
			case payload != "" && f.Event != "":
				return usagef("--payload and --event exclude each other")
			case payload != "":
				if _, err := decode(payload); err != nil {
					return usagef("--payload: not JSON: %v", err)
				}
				f.Payload = []byte(payload)
			}
			return c.fired(ctx, api, name, f)
		})
	cmd.Long = `Make an event by hand and fire it at once, whatever the trigger's rules say about its
time: a pause, a rate and enough dispatches under way do not hold it. With --event it is
one that the trigger has seen: one that waits is decided by this, and one that has ended
fires once more.

The exit status is 1 when the event is rejected, since the inputs do not fit.
`
	cmd.Example = "  latticed trigger fire scans --payload '{\"path\": \"/data/scans/7.tif\"}'"
	cmd.Flags().StringVar(&payload, "payload", "", "the fields of event, a JSON object")
	cmd.Flags().StringVar(&f.Event, "event", "", "the id of an event, which trigger events --ids prints")
	return cmd
}

// fired fires, and says what came of it.
func (c *cli) fired(ctx context.Context, api *client.Client, name string, f client.Fire) error {
	a, err := api.FireTrigger(ctx, name, f)
	if err != nil {
		return err
	}
	ended := error(nil)
	if a.Value.Decision != "fired" {
		ended = errFailed
	}
	if c.json {
		if err := c.raw(a.Raw); err != nil {
			return err
		}
		return ended
	}
	numbers, err := numbersOf(ctx, api, []client.Firing{a.Value})
	if err != nil {
		return err
	}
	said := state(a.Value.Decision, a.Value.Reason, nil)
	if n := numbers[a.Value.ID]; n != "" {
		said += "  dispatch " + n
	}
	if _, err = fmt.Fprintln(c.stdout, said); err != nil {
		return err
	}
	if ended != nil && len(f.Payload) == 0 && f.Event == "" {
		fmt.Fprintln(c.stderr, "latticed: this event has no fields but what a clock knows; give them with --payload, or take one that was seen with --event")
	}
	return ended
}
