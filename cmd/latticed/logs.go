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
			q := url.Values{}
			if follow {
				q.Set("follow", "1")
			}
			if tail >= 0 {
				q.Set("tail", strconv.Itoa(tail))
			}
			if attempt != "" {
				q.Set("attempt", attempt)
			}
			stream := "stdout"
			if stderr {
				stream = "stderr"
			}
			api, err := c.connect()
			if err != nil {
				return err
			}
			body, err := api.Log(cmd.Context(), args[0], args[1], stream, q)
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }()
			if _, err = io.Copy(c.stdout, body); err != nil && cmd.Context().Err() != nil {
				return nil // the user has seen enough
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the electron ends")
	cmd.Flags().BoolVar(&stderr, "stderr", false, "stderr instead of stdout")
	cmd.Flags().IntVar(&tail, "tail", -1, "only the last lines")
	cmd.Flags().StringVar(&attempt, "attempt", "", "which attempt: its number or id (default: the last)")
	return cmd
}
