package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newServe(c *cli) *cobra.Command {
	var file, level string
	var flags Config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Run the daemon in the foreground. It listens at a Unix socket, which its own user and
the group latticed may use; with --listen also over TCP, where clients show a token (see
latticed token --help). SIGTERM stops it; electrons go on running and are found
again by the next start.
`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := settings(cmd, file, flags)
			if err != nil {
				return err
			}
			log, err := newLog(c.stderr, level)
			if err != nil {
				return err
			}
			if err := serve(cmd.Context(), cfg, func() (Config, error) { return settings(cmd, file, flags) }, log); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("serve: %w", err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "configuration file (TOML)")
	f.StringVar(&flags.Paths.StateDir, "state-dir", "", "where everything is kept (default $STATE_DIRECTORY, /var/lib/latticed for root, else $XDG_STATE_HOME/latticed)")
	f.StringVar(&flags.Paths.Socket, "socket", "", "the Unix socket to listen at (default latticed.sock in $RUNTIME_DIRECTORY, /run/latticed for root, else $XDG_RUNTIME_DIR)")
	f.IntVar(&flags.Executors.Local.Parallel, "parallel", 0, "how many local attempts run at a time (default the number of CPUs, at least 8)")
	flags.HTTP.addFlags(cmd)
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// settings is the configuration: flags over file over defaults.
func settings(cmd *cobra.Command, file string, flags Config) (Config, error) {
	var cfg Config
	if file != "" {
		var err error
		if cfg, err = readConfig(file); err != nil {
			return cfg, usagef("%v", err)
		}
	}
	if cmd.Flags().Changed("state-dir") {
		cfg.Paths.StateDir = flags.Paths.StateDir
	}
	if s := os.Getenv("LATTICED_SOCKET"); s != "" && cfg.Paths.Socket == "" {
		cfg.Paths.Socket = s
	}
	if cmd.Flags().Changed("socket") {
		cfg.Paths.Socket = flags.Paths.Socket
	}
	if cmd.Flags().Changed("parallel") {
		cfg.Executors.Local.Parallel = flags.Executors.Local.Parallel
	}
	cfg.HTTP.override(cmd, flags.HTTP)
	if err := cfg.fill(); err != nil {
		return cfg, usagef("%v", err)
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usagef("%v", err)
	}
	return cfg, nil
}
