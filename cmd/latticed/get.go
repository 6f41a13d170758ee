package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newGet(c *cli) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "get ID ELECTRON/FILE [-o FILE]",
		Short: "Fetch a kept output of an electron",
		Args:  exactly("ID", "ELECTRON/FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			electron, file, ok := strings.Cut(args[1], "/")
			if !ok || electron == "" || file == "" {
				return usagef("%s: write ELECTRON/FILE, as in integrate/plot", args[1])
			}
			api, err := c.connect()
			if err != nil {
				return err
			}
			body, err := api.File(cmd.Context(), args[0], electron, file)
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }()
			if out == "" || out == "-" {
				_, err := io.Copy(c.stdout, body)
				return err
			}
			return writeFile(out, body)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "where to write it (default: standard output)")
	return cmd
}

// writeFile writes a file beside its place and moves it there, so that a broken
// connection leaves nothing half.
func writeFile(name string, r io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".latticed-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = io.Copy(f, r)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
