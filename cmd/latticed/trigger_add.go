package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

func newTriggerAdd(c *cli) *cobra.Command {
	var s specFlags
	var dry bool
	cmd := &cobra.Command{
		Use:     "add KIND NAME --dispatch ID|--lattice NAME [-m key=EXPRESSION]… [--FIELD value]…",
		Short:   "Register a trigger",
		Example: "  latticed trigger add directory scans --dispatch 7 --dir-path /data/scans -m image=event.path",
		Args:    exactly("KIND", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			spec, err := s.spec(cmd, func() ([]graph.Input, error) { return targetInputs(cmd.Context(), api, s.dispatch, s.lattice) })
			if err != nil {
				return err
			}
			spec["kind"], spec["name"] = args[0], args[1]
			body, err := json.Marshal(spec)
			if err != nil {
				return err
			}
			c.tellFollowed(cmd.Context(), api, args[1], spec)
			if dry {
				return inFlags(c.dryRun(api.PreviewTrigger(cmd.Context(), body)), args[1])
			}
			return c.changed(api.CreateTrigger(cmd.Context(), body))
		},
	}
	s.add(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what it would do")
	return cmd
}

// inFlags says in the words of the command line how to try an edit of a trigger that is
// there already.
func inFlags(err error, name string) error {
	var no *client.Refused
	if errors.As(err, &no) && no.Code == "name_taken" {
		no.Detail = "there is a trigger named " + name + " already; to see what an edit of it would do: latticed trigger set " + name + " … --dry-run"
	}
	return err
}

func newTriggerSet(c *cli) *cobra.Command {
	var s specFlags
	var unset []string
	var dry bool
	cmd := &cobra.Command{
		Use:   "set NAME [-m key=EXPRESSION]… [--FIELD value]… [--unset FIELD]…",
		Short: "Edit a trigger; the edit is a new revision",
		Args:  exactly("NAME"),

		ValidArgsFunction: c.triggerNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			spec, err := s.spec(cmd, func() ([]graph.Input, error) { return s.inputsOf(cmd.Context(), api, args[0]) })
			if err != nil {
				return err
			}
			for _, name := range unset {
				spec[name] = nil
			}
			if len(spec) == 0 {
				return usagef("nothing to set; usage: %s", cmd.UseLine())
			}
			body, err := json.Marshal(spec)
			if err != nil {
				return err
			}
			c.tellFollowed(cmd.Context(), api, args[0], spec)
			if dry {
				return c.dryRun(api.PreviewPatch(cmd.Context(), args[0], body))
			}
			return c.changed(api.PatchTrigger(cmd.Context(), args[0], body))
		},
	}
	s.add(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what the trigger would do after the edit")
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "a field that goes back to its default (repeatable)")
	return cmd
}

// inputsOf finds the inputs of what a trigger runs: after the edit, or as it is.
func (s *specFlags) inputsOf(ctx context.Context, api *client.Client, trigger string) ([]graph.Input, error) {
	if s.dispatch != "" || s.lattice != "" {
		return targetInputs(ctx, api, s.dispatch, s.lattice)
	}
	a, err := api.Trigger(ctx, trigger, false)
	if err != nil {
		return nil, err
	}
	dispatch, _ := a.Value.AdditionalProperties["dispatch_id"].(string)
	lattice, _ := a.Value.AdditionalProperties["lattice"].(string)
	return targetInputs(ctx, api, dispatch, lattice)
}

// targetInputs finds the inputs of a dispatch's lattice, or of a lattice.
func targetInputs(ctx context.Context, api *client.Client, dispatch, lattice string) ([]graph.Input, error) {
	id := strings.TrimSuffix(lattice, "@latest")
	switch {
	case dispatch != "":
		a, err := api.Dispatch(ctx, dispatch, 0)
		if err != nil {
			return nil, err
		}
		id = a.Value.Lattice.ID
	case id == "":
		return nil, usagef("say what to run: --dispatch ID or --lattice NAME")
	}
	l, err := fetchLattice(ctx, api, id)
	if err != nil {
		return nil, err
	}
	return l.Inputs, nil
}
