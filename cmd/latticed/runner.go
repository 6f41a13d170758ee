package main

import (
	"time"

	"github.com/rs/zerolog"
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
			settled := time.AfterFunc(settleIn, func() { settle(zerolog.Nop()) })
			defer settled.Stop()
			return runner.Main(cmd.Context(), o)
		},
	}
}
