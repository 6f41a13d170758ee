package main

import (
	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newRedispatch(c *cli) *cobra.Command {
	var f runFlags
	var unset []string
	cmd := &cobra.Command{
		Use:   "redispatch ID",
		Short: "Run a dispatch again, with inputs changed",
		Args:  exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			api, err := c.connect()
			if err != nil {
				return err
			}
			r := client.NewRedispatch{Note: f.note, DisableRun: f.disable, Unset: unset}
			if r.Labels, err = readPairs("label", f.labels); err != nil {
				return err
			}
			if len(f.inputs) > 0 {
				earlier, err := api.Dispatch(ctx, args[0], 0)
				if err != nil {
					return err
				}
				l, err := fetchLattice(ctx, api, earlier.Value.Lattice.ID)
				if err != nil {
					return err
				}
				if r.Inputs, err = readInputs(f.inputs, l.Inputs); err != nil {
					return err
				}
			}
			a, err := api.Redispatch(ctx, args[0], r)
			if err != nil {
				return err
			}
			return c.begun(ctx, api, a, f.wait)
		},
	}
	f.add(cmd)
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "an input that goes back to its default (repeatable)")
	return cmd
}
