package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Arrival is a file that came with an event from another machine.
type Arrival struct {
	Trigger string // its name, which is the folder
	Rel     string // the path below that folder, with slashes
	SHA256  string
	Size    int64
	Owner   string // who uploaded it
}

// RelError means that the path of an arrival is none that may be written.
type RelError struct{ Rel, Why string }

func (e *RelError) Error() string { return fmt.Sprintf("the path %q %s", e.Rel, e.Why) }

// ErrNoUpload means that a file is not there that was to come before its event.
var ErrNoUpload = errors.New("the file of this event is not there: upload it first")

// incoming is the folder for files from other machines: incoming/TRIGGER/REL. What is
// there belongs to the users: it is never overwritten and never removed here.
type incoming struct {
	dir string

	mu   sync.Mutex // one file at a time finds its name
	sums map[string]fileSum
}

// fileSum is the SHA-256 of a version of a file.
type fileSum struct{ version, sha256 string }

const maxSums = 64 // that are remembered

// halfway is the folder of what is not whole yet; no trigger has such a name.
const halfway = ".partial"

// Receive puts what its owner has uploaded into the folder of a trigger and returns the
// path. What has the same content and name there is kept; with other content the new
// one is called NAME~2.EXT, and so on. It is durable then, and the upload is let go of.
// *RelError: the path is none. ErrNoUpload: the owner has uploaded no such thing, or it
// had its time.
func (s *Store) Receive(ctx context.Context, a Arrival) (string, error) {
	rel, err := cleanRel(a.Rel)
	if err != nil {
		return "", err
	}
	if _, err := hash(a.SHA256); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoUpload, err)
	}
	a.SHA256, a.Rel = strings.ToLower(a.SHA256), path.Join(a.Trigger, rel)
	root, err := os.OpenRoot(s.incoming.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	s.incoming.mu.Lock()
	defer s.incoming.mu.Unlock()
	name, there, err := s.incoming.spot(root, &a)
	switch {
	case err == nil && there:
		err = s.ForgetUpload(ctx, a.SHA256, a.Owner)
	case err == nil:
		name, err = s.receive(ctx, root, &a, name)
	}
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return "", &RelError{rel, "needs a folder where there is a file"}
	case errors.Is(err, unix.ENAMETOOLONG):
		return "", &RelError{rel, "is too long"}
	case err != nil:
		return "", fmt.Errorf("store %s of trigger %s: %w", rel, a.Trigger, storageError(err))
	}
	return filepath.Join(s.incoming.dir, name), nil
}

// receive makes the bytes a file beside, then gives them their name.
func (s *Store) receive(ctx context.Context, root *os.Root, a *Arrival, name string) (string, error) {
	if _, err := s.uploaded(ctx, a.SHA256, a.Owner); errors.Is(err, ErrNotFound) {
		return "", ErrNoUpload
	} else if err != nil {
		return "", err
	}
	tmp := path.Join(halfway, uuid.NewString())
	defer func() { _ = root.Remove(tmp) }() // what stays goes at the next start
	linked, err := s.bring(ctx, root, tmp, a)
	if err != nil {
		return "", err
	}
	if err := makeParents(root, path.Dir(name)); err != nil {
		return "", err
	}
	for n := 2; ; n++ { // somebody else may write here
		err := appear(root, tmp, name)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		name = numbered(a.Rel, n)
	}
	if err := syncBelow(root, path.Dir(name)); err != nil {
		return "", err
	}
	if err := s.ForgetUpload(ctx, a.SHA256, a.Owner); err != nil || !linked {
		return name, err
	}
	return name, s.part(ctx, root, a, name)
}

// bring makes the file tmp. That of an asset which nothing else needs is only given
// another name, since a copy of many gigabytes takes minutes.
func (s *Store) bring(ctx context.Context, root *os.Root, tmp string, a *Arrival) (linked bool, err error) {
	if err := root.MkdirAll(halfway, 0o700); err != nil {
		return false, err
	}
	sha, err := hash(a.SHA256)
	if err != nil {
		return false, err
	}
	var needed, uploads int
	err = s.quick(ctx, func(q querier) error {
		return q.row("SELECT refs, (SELECT count(*) FROM uploads u WHERE u.sha256 = assets.sha256) FROM assets WHERE sha256 = ?", []any{sha}, &needed, &uploads)
	})
	if err != nil {
		return false, err
	}
	if needed == 0 && uploads == 1 && a.Size > inlineMax {
		err := os.Link(s.files.path(a.SHA256), filepath.Join(s.incoming.dir, tmp))
		switch {
		case err == nil:
			return true, root.Chmod(tmp, 0o644)
		case !noLink(err):
			return false, err
		}
	}
	return false, s.copyAsset(ctx, root, tmp, a.SHA256)
}

// part gives a file bytes of its own when its asset is needed all the same: somebody has
// uploaded it a moment ago.
func (s *Store) part(ctx context.Context, root *os.Root, a *Arrival, name string) error {
	tmp := path.Join(halfway, uuid.NewString())
	defer func() { _ = root.Remove(tmp) }() // it was renamed, or is of no use
	err := s.copyAsset(ctx, root, tmp, a.SHA256)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = root.Rename(tmp, name)
	}
	return errors.Join(err, syncBelow(root, path.Dir(name)))
}

func (s *Store) copyAsset(ctx context.Context, root *os.Root, to, sha string) error {
	from, err := s.OpenAsset(ctx, sha)
	if err != nil {
		return err
	}
	defer from.Close()
	return copyInto(root, to, from)
}

// tidy removes what a crash has left half written.
func (in *incoming) tidy() error { return os.RemoveAll(filepath.Join(in.dir, halfway)) }
