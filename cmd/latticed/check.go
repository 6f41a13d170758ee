package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newCheck(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a lattice file without a daemon",
		Args:  exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := c.readLattice(cmd.Context(), args[0], nil)
			if err != nil {
				return err
			}
			l := p.lattice
			if c.json {
				return c.indented(map[string]any{"id": l.ID, "name": l.Name, "electrons": len(l.Electrons), "inputs": len(l.Inputs)})
			}
			_, err = fmt.Fprintf(c.stdout, "%s: ok: lattice %s, %s, %s\n", args[0], l.Name, count(len(l.Electrons), "electron"), count(len(l.Inputs), "input"))
			return err
		},
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	ending := "s"
	if strings.HasSuffix(what, "ch") {
		ending = "es"
	}
	return fmt.Sprintf("%d %s%s", n, what, ending)
}
