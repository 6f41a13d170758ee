package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newResult(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "result ID [ELECTRON]",
		Short: "Print the result of a dispatch, or of one of its electrons, as JSON",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly("ID")(cmd, args)
			}
			return atMost(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			if len(args) == 2 {
				body, err := api.ElectronResult(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				defer func() { _ = body.Close() }()
				if _, err := io.Copy(c.stdout, body); err != nil {
					return err
				}
				_, err = fmt.Fprintln(c.stdout)
				return err
			}
			a, err := api.Dispatch(cmd.Context(), args[0], 0)
			if err != nil {
				return err
			}
			return c.result(a.Value)
		},
	}
}

func (c *cli) result(d client.Dispatch) error {
	switch {
	case d.Status == "completed" && c.json:
		return c.raw(d.Result)
	case d.Status == "completed":
		return c.indented(d.Result)
	case client.Terminal(d.Status):
		fmt.Fprintf(c.stderr, "latticed: dispatch %d is %s and has no result; see: latticed show %d\n", d.Number, d.Status, d.Number)
		return errFailed
	}
	return fmt.Errorf("dispatch %d is %s and has no result yet; wait for it with: latticed wait %d", d.Number, d.Status, d.Number)
}
