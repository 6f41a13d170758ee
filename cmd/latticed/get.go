package main

import (
	"crypto/rand"
	"errors"
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
// connection leaves nothing half. What is no regular file (/dev/null, a pipe) is
// written to, and stays.
func writeFile(name string, r io.Reader) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return wrote(name, f, r)
	}
	tmp := filepath.Join(filepath.Dir(name), ".latticed-"+rand.Text())
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // as the umask says
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { _ = os.Remove(tmp) }()
	if err := wrote(name, f, r); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

func wrote(name string, f *os.File, r io.Reader) error {
	_, err := io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
