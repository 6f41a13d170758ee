package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

// newStart, newCancel, newWait and newRm act on dispatches by id or number.

func newStart(c *cli) *cobra.Command {
	var wait bool
	cmd := c.each("start ID…", "Start dispatches that were made with --disable-run",
		func(ctx context.Context, api *client.Client, id string) error {
			a, err := api.StartDispatch(ctx, id)
			if err != nil {
				return err
			}
			return c.begun(ctx, api, a, wait)
		})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end")
	return cmd
}

func newCancel(c *cli) *cobra.Command {
	var wait bool
	cmd := c.each("cancel ID…", "Ask for the end of dispatches",
		func(ctx context.Context, api *client.Client, id string) error {
			a, err := api.CancelDispatch(ctx, id)
			if err == nil && wait {
				a, err = api.Wait(ctx, a.Value.ID)
			}
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			d := a.Value
			said := d.Status
			if !client.Terminal(said) {
				said = "asked to cancel, " + state(d.Status, d.Reason, d.Waiting)
			}
			_, err = fmt.Fprintf(c.stdout, "dispatch %d  %s\n", d.Number, said)
			return err
		})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until nothing of it is left")
	return cmd
}

func newWait(c *cli) *cobra.Command {
	return c.each("wait ID…", "Wait for the end of dispatches; the exit status says whether they completed", c.await)
}

func newRm(c *cli) *cobra.Command {
	return c.each("rm ID…", "Remove dispatches that have ended",
		func(ctx context.Context, api *client.Client, id string) error { return api.DeleteDispatch(ctx, id) })
}

// each makes a command that does something with one dispatch, or trigger, after the other.
func (c *cli) each(use, short string, do func(context.Context, *client.Client, string) error) *cobra.Command {
	_, what, _ := strings.Cut(strings.TrimSuffix(use, "…"), " ")
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s is missing; usage: %s", what, cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			var failed error
			for _, id := range args {
				switch err := do(cmd.Context(), api, id); {
				case err == errFailed: //nolint:errorlint // the value itself
					failed = err
				case err != nil:
					return err
				}
			}
			return failed
		},
	}
}
