package main

import (
	"github.com/spf13/cobra"

	"github.com/latticed/latticed/executors/local/runner"
)

// newRunner is the process that owns local attempts; the daemon starts it, or systemd.
func newRunner(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:                "runner",
		Short:              "Own the local attempts of a state directory",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := runner.ParseArgs(args, c.stderr)
			if err != nil {
				return usagef("%v", err)
			}
			return runner.Main(cmd.Context(), o)
		},
	}
}
