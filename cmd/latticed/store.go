package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newStore(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "store FILE",
		Short: "Store a lattice under its name",
		Args:  exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			p, err := c.readLattice(cmd.Context(), args[0], uploader(api))
			if err != nil {
				return err
			}
			a, err := api.StoreLattice(cmd.Context(), p.document)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			c.warn(a.Value.Warnings)
			_, err = fmt.Fprintf(c.stdout, "%s  %s\n", a.Value.Name, a.Value.ID)
			return err
		},
	}
}
