package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newWhoami(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Print who the daemon thinks you are, and as whom electrons run",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Whoami(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return c.raw(a.Raw)
			}
			w := a.Value
			you := w.Name
			if w.UID != nil && w.GID != nil {
				you = fmt.Sprintf("%s (uid %d, gid %d)", w.Name, *w.UID, *w.GID)
			}
			role := w.Role
			if w.Trigger != nil {
				role += " of trigger " + *w.Trigger
			}
			return c.table(nil, [][]string{
				{"you", you},
				{"role", role},
				{"door", w.Via},
				{"electrons run as", w.RunAs},
				{"daemon", w.Version},
			})
		},
	}
}
