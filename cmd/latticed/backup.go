package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/store"
)

func newBackup(c *cli) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "backup --out DIR",
		Short: "Copy the database and the assets of the daemon, as they are at one moment",
		Long: `Copy everything the daemon must not lose into a new folder, while it goes on working.
The folder appears under its name when all of it is there and verified. Not in it are the
configuration, the work directories of attempts and the files in incoming/.
`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("--out is missing: name the folder to be made")
			}
			return c.backup(cmd.Context(), out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the folder to be made; its parent must be there")
	return cmd
}

func (c *cli) backup(ctx context.Context, out string) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	out = filepath.Clean(out)
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return usagef("--out %s: it is there already; name a new folder", out)
	}
	partial := out + partialSuffix
	if err := clearPartial(partial); err != nil {
		return err
	}
	body, err := api.Backup(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	hold, err := makePartial(partial)
	if err != nil {
		return err
	}
	defer func() { _ = hold.Close() }()
	if err := unpack(body, partial); err != nil {
		return fmt.Errorf("the backup broke off and is not whole; nothing of it is kept, and the daemon's log may tell why: %w", errors.Join(err, os.RemoveAll(partial)))
	}
	v, err := store.Verify(ctx, partial)
	if err != nil {
		return errors.Join(err, os.RemoveAll(partial))
	}
	if err := place(partial, out); err != nil {
		return err
	}
	for _, left := range leftPartial(filepath.Dir(out)) {
		fmt.Fprintf(c.stderr, "latticed: warning: %s is left of a backup that was broken off, and nothing removes it: rm -r it\n", left)
	}
	if c.json {
		return c.indented(verdict(out, v))
	}
	_, err = fmt.Fprintf(c.stdout, "%s: %s, %s, %s, %s, as of %s\n", out, count(int(v.Dispatches), "dispatch"), count(int(v.Triggers), "trigger"),
		count(len(v.Manifest.Files), "file"), bytesText(v.Bytes), v.Manifest.CreatedAt.UTC().Format("2006-01-02 15:04:05 UTC"))
	return err
}

// unpack writes the files of a tar into dir. Names that lead out of it are refused.
func unpack(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		name := filepath.FromSlash(h.Name)
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) || strings.HasPrefix(name, ".") {
			return fmt.Errorf("it has an entry %q that makes no sense", h.Name)
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, tr) //nolint:gosec // our own daemon's, and as large as it is
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// place makes what is in partial durable and gives it its name, unless that was taken
// meanwhile.
func place(partial, out string) error {
	f, err := os.Open(partial)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Syncfs(int(f.Fd())), f.Close()); err != nil {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, partial, unix.AT_FDCWD, out, unix.RENAME_NOREPLACE); errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s was made meanwhile; the backup is whole and stays in %s", out, partial)
	} else if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system that can't say it
		if err := os.Rename(partial, out); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(out))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// verified is what is said of a backup that is whole.
type verified struct {
	Path       string `json:"path"`
	CreatedAt  string `json:"created_at"`
	Version    string `json:"version"`
	Files      int    `json:"files"`
	Bytes      int64  `json:"bytes"`
	Dispatches int64  `json:"dispatches"`
	Pending    int64  `json:"pending"`
	Triggers   int64  `json:"triggers"`
}

func verdict(path string, v *store.Verified) verified {
	return verified{
		Path: path, CreatedAt: v.Manifest.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000Z"), Version: v.Manifest.Version,
		Files: len(v.Manifest.Files), Bytes: v.Bytes, Dispatches: v.Dispatches, Pending: v.Pending, Triggers: v.Triggers,
	}
}
