package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

const (
	inlineFile  = 256 << 10 // larger files go ahead as assets
	inlineAll   = 2 << 20   // and so do those beyond this in all
	maxPacked   = 10_000    // files of one lattice
	maxDocument = 64 << 20
)

// upload stores bytes ahead of the document that names them; it returns their SHA-256.
type upload func(ctx context.Context, r io.Reader) (string, error)

// packed is a lattice file with everything it includes.
type packed struct {
	file     string
	lattice  *graph.Lattice
	document []byte
}

// readLattice reads a lattice file and packs what its `include` names. Findings carry
// the file, line and column.
func (c *cli) readLattice(ctx context.Context, file string, up upload) (packed, error) {
	p := packed{file: file}
	src, err := c.readSource(file)
	if err != nil {
		return p, err
	}
	s, err := graph.Decode(src)
	if err != nil {
		return p, inFile(file, err)
	}
	if globs := s.Includes(); len(globs) > 0 {
		files, err := pack(ctx, filepath.Dir(file), globs, up)
		if err != nil {
			return p, inFile(file, err)
		}
		s.Pack(files)
	}
	if p.lattice, err = s.Lattice(); err != nil {
		return p, inFile(file, err)
	}
	p.document, err = s.Document()
	return p, inFile(file, err)
}

// readSource reads the text of a lattice, or standard input when file is "-".
func (c *cli) readSource(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(c.stdin, maxDocument))
	}
	src, err := readNamed(file)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return src, nil
}

// missingError means that there is no file of that name.
type missingError string

func (e missingError) Error() string { return "there is no file " + string(e) }

// Is makes it what the system calls it.
func (e missingError) Is(target error) bool { return target == fs.ErrNotExist }

// readNamed reads a file that somebody has named, and says in words when it isn't there.
func readNamed(file string) ([]byte, error) {
	src, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingError(file)
	}
	return src, err
}

// pack reads the files that match globs, relative to dir.
func pack(ctx context.Context, dir string, globs []string, up upload) (map[string]graph.Include, error) {
	var names []string
	for i, glob := range globs {
		found, err := match(dir, glob)
		if err != nil {
			return nil, fmt.Errorf("include[%d]: %w", i, err)
		}
		if len(found) == 0 {
			return nil, &graph.Invalid{Problems: []graph.Problem{{
				Path: fmt.Sprintf("include[%d]", i), Code: graph.CodeInclude,
				Message: fmt.Sprintf("%q matches no file in %s", glob, absolute(dir)),
			}}}
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > maxPacked {
		return nil, fmt.Errorf("include matches %d files, more than %d", len(names), maxPacked)
	}
	files := make(map[string]graph.Include, len(names))
	room := inlineAll
	for _, name := range names {
		f, err := packFile(ctx, filepath.Join(dir, filepath.FromSlash(name)), room, up)
		if err != nil {
			return nil, fmt.Errorf("include %s: %w", name, err)
		}
		files[name] = f
		room -= len(f.Data)
	}
	return files, nil
}

func packFile(ctx context.Context, file string, room int, up upload) (graph.Include, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return graph.Include{}, err
	}
	if len(data) <= min(inlineFile, room) || up == nil {
		return graph.Include{Data: data}, nil
	}
	sum, err := up(ctx, bytes.NewReader(data))
	return graph.Include{SHA256: sum}, err
}

// match lists the regular files below dir that match a glob with slashes; ** stands
// for any folders. Hidden files and folders, and python's caches, match only where
// the glob says so itself.
func match(dir, glob string) ([]string, error) {
	want := strings.Split(path.Clean(glob), "/")
	for _, part := range want {
		if part == ".." {
			return nil, fmt.Errorf("%q leaves the folder of the lattice", glob)
		}
		if _, err := path.Match(part, ""); err != nil {
			return nil, fmt.Errorf("%q is not a glob: %w", glob, err)
		}
	}
	var found []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || rel == "." {
			return err
		}
		parts := strings.Split(filepath.ToSlash(rel), "/")
		if d.IsDir() {
			if !reaches(want, parts) {
				return filepath.SkipDir
			}
			return nil
		}
		if matches(want, parts) && regular(p) {
			found = append(found, filepath.ToSlash(rel))
		}
		return nil
	})
	return found, err
}

func regular(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// matches tells whether the parts of a path fit those of a glob.
func matches(want, parts []string) bool {
	if len(want) == 0 {
		return len(parts) == 0
	}
	if want[0] == "**" {
		if len(want) == 1 {
			return !slices.ContainsFunc(parts, unasked)
		}
		if matches(want[1:], parts) {
			return true
		}
		return len(parts) > 0 && !unasked(parts[0]) && matches(want, parts[1:])
	}
	return len(parts) > 0 && fits(want[0], parts[0]) && matches(want[1:], parts[1:])
}

// reaches tells whether something below the folder parts may fit.
func reaches(want, parts []string) bool {
	switch {
	case len(parts) == 0:
		return true
	case len(want) == 0:
		return false
	case want[0] == "**":
		return !unasked(parts[0]) || reaches(want[1:], parts)
	}
	return fits(want[0], parts[0]) && reaches(want[1:], parts[1:])
}

func fits(glob, name string) bool {
	if unasked(name) && glob[:1] != name[:1] {
		return false
	}
	ok, err := path.Match(glob, name)
	return ok && err == nil
}

// unasked names are packed only when a glob begins like them.
func unasked(name string) bool { return name[0] == '.' || name == "__pycache__" }

func absolute(p string) string {
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}
