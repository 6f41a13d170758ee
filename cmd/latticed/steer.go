package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
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
	cmd := c.each("cancel ID…", "Ask for the end of dispatches, or of electrons of one with all that needs them", nil)
	cmd.Use = "cancel ID… | cancel ID ELECTRON…"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("dry-run") {
			return usagef("--dry-run is for --where")
		}
		ids, electrons, err := idsAndElectrons(args)
		if err != nil {
			return err
		}
		api, err := c.connect()
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := c.cancel(cmd.Context(), api, id, electrons, wait); err != nil {
				return err
			}
		}
		return nil
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until nothing of it is left")
	return cmd
}

// idsAndElectrons tells names of electrons, which begin with a letter, from ids and
// numbers of dispatches, which begin with a digit.
func idsAndElectrons(args []string) (ids, electrons []string, err error) {
	for _, a := range args {
		switch {
		case graph.ValidName(a):
			electrons = append(electrons, a)
		case len(electrons) > 0:
			return nil, nil, usagef("%s comes after names of electrons; give one dispatch, then its electrons", a)
		default:
			ids = append(ids, a)
		}
	}
	if len(electrons) > 0 && len(ids) != 1 {
		return nil, nil, usagef("electrons need one dispatch before them: latticed cancel ID %s", electrons[0])
	}
	return ids, electrons, nil
}

func (c *cli) cancel(ctx context.Context, api *client.Client, id string, electrons []string, wait bool) error {
	a, err := api.CancelDispatch(ctx, id, electrons...)
	if err == nil && wait {
		a, err = api.Wait(ctx, a.Value.ID)
	}
	if err != nil || c.json {
		return c.orRaw(err, a.Raw)
	}
	d := a.Value
	said := d.Status
	switch {
	case client.Terminal(said):
	case len(electrons) > 0:
		said = "asked to cancel " + withNeeds(electrons) + "; the dispatch is " + state(d.Status, d.Reason, d.Waiting)
	default:
		said = "asked to cancel, " + state(d.Status, d.Reason, d.Waiting)
	}
	_, err = fmt.Fprintf(c.stdout, "dispatch %d  %s\n", d.Number, said)
	return err
}

// withNeeds names electrons and what ends with them.
func withNeeds(electrons []string) string {
	if len(electrons) == 1 {
		return electrons[0] + " and what needs it"
	}
	return strings.Join(electrons, ", ") + " and what needs them"
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
