package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

func newTriggerAdd(c *cli) *cobra.Command {
	var s specFlags
	cmd := &cobra.Command{
		Use:     "add KIND NAME --dispatch ID|--lattice NAME [-m key=EXPRESSION]… [--FIELD value]…",
		Short:   "Register a trigger",
		Example: "  latticed trigger add directory scans --dispatch 7 --dir-path /data/scans -m image=event.path",
		Args:    exactly("KIND", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := s.spec(cmd)
			if err != nil {
				return err
			}
			spec["kind"], spec["name"] = args[0], args[1]
			body, err := json.Marshal(spec)
			if err != nil {
				return err
			}
			api, err := c.connect()
			if err != nil {
				return err
			}
			return c.changed(api.CreateTrigger(cmd.Context(), body))
		},
	}
	s.add(cmd)
	return cmd
}

func newTriggerSet(c *cli) *cobra.Command {
	var s specFlags
	var unset []string
	cmd := &cobra.Command{
		Use:   "set NAME [-m key=EXPRESSION]… [--FIELD value]… [--unset FIELD]…",
		Short: "Edit a trigger; the edit is a new revision",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := s.spec(cmd)
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
			api, err := c.connect()
			if err != nil {
				return err
			}
			return c.changed(api.PatchTrigger(cmd.Context(), args[0], body))
		},
	}
	s.add(cmd)
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "a field that goes back to its default (repeatable)")
	return cmd
}
