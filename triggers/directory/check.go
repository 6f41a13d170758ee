package directory

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/latticed/latticed/graph"
)

// Check refuses a path that is not there: it is almost always a slip of the pen.
func (s *source) Check(ctx context.Context) error { return answered(ctx, s.path, s.check) }

// answered asks for something about a path, and gives up with ctx: a file server that
// is gone may never answer. The goroutine that asks is left behind then.
func answered(ctx context.Context, path string, ask func() error) error {
	answer := make(chan error, 1)
	go func() { answer <- ask() }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return refusePath(path + " does not answer; is it on a file server that is gone?")
	}
}

func refusePath(message string) error {
	return &graph.Invalid{Problems: []graph.Problem{{Path: "dir_path", Code: graph.CodeBadPath, Message: message}}}
}

func (s *source) check() error {
	info, err := os.Stat(s.path)
	if err == nil {
		err = s.allowed()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refusePath(s.path + " does not exist; create it first")
	case err != nil:
		return refusePath(troubleWith(s.path, err))
	case !info.IsDir() && !info.Mode().IsRegular():
		return refusePath(s.path + " is neither a folder nor a file")
	case !info.IsDir() && s.units.rules != nil && s.units.rules.form != eachFile:
		return refusePath(s.path + " is a file; unit: folder and group need a folder")
	case !info.IsDir():
		if l, err := os.Lstat(s.path); err == nil && l.Mode()&fs.ModeSymlink != 0 {
			return refusePath(s.path + " is a link to a file; name the file itself, because links are not followed")
		}
		return nil
	}
	d, err := openFolder(s.path)
	if err != nil {
		return refusePath(troubleWith(s.path, err))
	}
	d.close()
	return nil
}

// allowed refuses what the administrator does not let triggers look at.
func (s *source) allowed() error {
	resolved, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return err
	}
	return allowed(resolved, s.hub.roots)
}
