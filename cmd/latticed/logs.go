package main

import (
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

func newLogs(c *cli) *cobra.Command {
	var follow, stderr bool
	var tail int
	var attempt string
	cmd := &cobra.Command{
		Use:   "logs ID ELECTRON",
		Short: "Print what an electron wrote to stdout, or to stderr",
		Args:  exactly("ID", "ELECTRON"),
		RunE: func(cmd *cobra.Command, args []string) error {
			stream, last := "stdout", ""
			if stderr {
				stream = "stderr"
			}
			if tail >= 0 {
				last = strconv.Itoa(tail)
			}
			api, err := c.connect()
			if err != nil {
				return err
			}
			if follow {
				err := api.FollowLog(cmd.Context(), args[0], args[1], stream, attempt, last, c.stdout)
				if cmd.Context().Err() != nil {
					return nil // the user has seen enough
				}
				return err
			}
			q := url.Values{}
			for name, v := range map[string]string{"tail": last, "attempt": attempt} {
				if v != "" {
					q.Set(name, v)
				}
			}
			body, err := api.Log(cmd.Context(), args[0], args[1], stream, q)
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }()
			_, err = io.Copy(c.stdout, body)
			return err
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the electron ends, also over restarts of the daemon")
	cmd.Flags().BoolVar(&stderr, "stderr", false, "stderr instead of stdout")
	cmd.Flags().IntVar(&tail, "tail", -1, "only the last lines")
	cmd.Flags().StringVar(&attempt, "attempt", "", "which attempt: its number or id (default: the last)")
	return cmd
}
