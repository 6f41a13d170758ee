package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMatch_globs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"a.py", "b.txt", "lib/a.py", "lib/deep/b.py", "lib/deep/er/c.py", "lib/__pycache__/a.pyc", ".hidden/x.py", "lib/.env", "data [1].csv",
	} {
		write(t, filepath.Join(dir, name), "x")
	}
	if err := os.Symlink("a.py", filepath.Join(dir, "link.py")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "broken.py")); err != nil {
		t.Fatal(err)
	}
	for glob, want := range map[string]string{
		"a.py":         "a.py",
		"./a.py":       "a.py",
		"*.py":         "a.py link.py",
		"lib/*.py":     "lib/a.py",
		"lib/**":       "lib/a.py lib/deep/b.py lib/deep/er/c.py",
		"lib/**/*.py":  "lib/a.py lib/deep/b.py lib/deep/er/c.py",
		"**/b.*":       "b.txt lib/deep/b.py",
		"**":           "a.py b.txt data [1].csv lib/a.py lib/deep/b.py lib/deep/er/c.py link.py",
		"lib/**/er/**": "lib/deep/er/c.py",
		".hidden/*":    ".hidden/x.py",
		"lib/.env":     "lib/.env",
		"lib/_*/*":     "lib/__pycache__/a.pyc",
		"data*":        "data [1].csv",
		"[ab].*":       "a.py b.txt",
		"nothing/**":   "",
		"lib":          "",
	} {
		got, err := match(dir, glob)
		if err != nil {
			t.Errorf("%s: %v", glob, err)
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got  %s\nwant %s", glob, s, want)
		}
	}
	for _, glob := range []string{"../x", "a/../../x", "["} {
		if _, err := match(dir, glob); err == nil {
			t.Errorf("%s was taken", glob)
		}
	}
}

func TestPack_large_files_go_ahead(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte{0xff}, inlineFile+1)
	write(t, filepath.Join(dir, "big"), string(big))
	write(t, filepath.Join(dir, "small"), "x")
	var sent []byte
	up := func(_ context.Context, r io.Reader) (_ string, err error) {
		sent, err = io.ReadAll(r)
		return strings.Repeat("a", 64), err
	}
	files, err := pack(t.Context(), dir, []string{"*"}, up)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent, big) || files["big"].SHA256 == "" || files["big"].Data != nil || string(files["small"].Data) != "x" {
		t.Errorf("%d bytes sent", len(sent))
	}
	t.Run("so_do_many_small_ones", func(t *testing.T) {
		dir := t.TempDir()
		for i := range 20 {
			write(t, filepath.Join(dir, strings.Repeat("f", i+1)), strings.Repeat("x", inlineFile))
		}
		files, err := pack(t.Context(), dir, []string{"*"}, up)
		if err != nil {
			t.Fatal(err)
		}
		inline := 0
		for _, f := range files {
			inline += len(f.Data)
		}
		if inline != inlineAll || len(files) != 20 {
			t.Errorf("%d bytes inline of %d files", inline, len(files))
		}
	})
	if files, err = pack(t.Context(), dir, []string{"*"}, nil); err != nil || len(files["big"].Data) != len(big) {
		t.Errorf("without a daemon: %v", err)
	}
}
