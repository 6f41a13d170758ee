package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/latticed/latticed/graph"
)

// files are the assets that are too large for a row: assets/ab/SHA256. A file is
// written under another name, synced, renamed and its folder synced, so that a name
// always has all its bytes.
type files struct {
	dir string

	mu     sync.Mutex // between a rename and its counting in staged, and in removals
	staged map[string]int

	holders int      // backups under way
	doomed  []string // what would have been removed but for them
}

const stagePrefix = "tmp-"

func (f *files) path(sha256 string) string { return filepath.Join(f.dir, sha256[:2], sha256) }

// stage reads everything; with declared, the bytes must have that SHA-256.
func (f *files) stage(ctx context.Context, r io.Reader, declared string) (graph.NewAsset, error) {
	head, err := io.ReadAll(io.LimitReader(&ctxReader{ctx, r}, inlineMax+1))
	if err != nil {
		return graph.NewAsset{}, err
	}
	if len(head) <= inlineMax {
		h := sha256.Sum256(head)
		name := hex.EncodeToString(h[:])
		return graph.NewAsset{Asset: graph.Asset{SHA256: name, Size: int64(len(head))}, Data: head}, checkHash(declared, name)
	}
	tmp, err := os.CreateTemp(f.dir, stagePrefix)
	if err != nil {
		return graph.NewAsset{}, err
	}
	name, size, err := sum(ctx, tmp, io.MultiReader(bytes.NewReader(head), r))
	if err == nil {
		err = checkHash(declared, name)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		os.Remove(tmp.Name())
		return graph.NewAsset{}, err
	}
	if err := f.place(tmp.Name(), name); err != nil {
		os.Remove(tmp.Name())
		return graph.NewAsset{}, err
	}
	return graph.NewAsset{Asset: graph.Asset{SHA256: name, Size: size}}, nil
}

// link stages a file that is there whole already and may stay under its own name, too.
func (f *files) link(ctx context.Context, whole *os.File, declared string) (graph.NewAsset, error) {
	name, size, err := sum(ctx, io.Discard, whole)
	if err == nil {
		err = checkHash(declared, name)
	}
	if err != nil {
		return graph.NewAsset{}, err
	}
	tmp := filepath.Join(f.dir, stagePrefix+uuid.NewString())
	if err := os.Link(whole.Name(), tmp); err != nil {
		return graph.NewAsset{}, err
	}
	if err := f.place(tmp, name); err != nil {
		os.Remove(tmp)
		return graph.NewAsset{}, err
	}
	os.Remove(tmp) // renaming a file to another name of its own leaves both
	return graph.NewAsset{Asset: graph.Asset{SHA256: name, Size: size}}, nil
}

func checkHash(declared, actual string) error {
	if declared != "" && !strings.EqualFold(declared, actual) {
		return &HashError{Declared: declared, Actual: actual}
	}
	return nil
}

// place gives a complete file its name and counts it as staged. Placing what is there
// already replaces it by the same bytes, with a new time that keeps the sweep away.
func (f *files) place(tmp, sha256 string) error {
	to := f.path(sha256)
	dir := filepath.Dir(to)
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := syncDir(f.dir); err != nil {
			return err
		}
	case !errors.Is(err, os.ErrExist):
		return err
	}
	f.mu.Lock()
	err := os.Rename(tmp, to)
	if err == nil {
		if f.staged == nil {
			f.staged = map[string]int{}
		}
		f.staged[sha256]++
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		f.unstage(graph.NewAsset{Asset: graph.Asset{SHA256: sha256}})
		return err
	}
	return nil
}

// unstage takes back one count: a row holds the file now, or nobody wants it.
func (f *files) unstage(a graph.NewAsset) {
	if a.Data != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.staged[a.SHA256]--; f.staged[a.SHA256] <= 0 {
		delete(f.staged, a.SHA256)
	}
}

// check tells whether a staged file is there.
func (f *files) check(a *graph.NewAsset) error {
	info, err := os.Stat(f.path(a.SHA256))
	if err != nil {
		return fmt.Errorf("asset %s was not staged: %w", a.SHA256, err)
	}
	if info.Size() != a.Size {
		return fmt.Errorf("asset %s has %d bytes instead of %d", a.SHA256, info.Size(), a.Size)
	}
	return nil
}

// remove deletes a file whose row is gone, unless it was staged again.
func (f *files) remove(sha256 string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holders > 0 {
		f.doomed = append(f.doomed, sha256)
		return
	}
	if f.staged[sha256] == 0 {
		os.Remove(f.path(sha256)) // a file that stays is swept at the next start
	}
}

// sweep deletes files from before opened that known does not know, and what an
// interrupted staging left.
func (f *files) sweep(ctx context.Context, opened time.Time, known func([]string) (map[string]bool, error)) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if context.Cause(ctx) != nil {
			return context.Cause(ctx)
		}
		if strings.HasPrefix(e.Name(), stagePrefix) {
			f.removeOld(filepath.Join(f.dir, e.Name()), opened)
			continue
		}
		if err := f.sweepDir(filepath.Join(f.dir, e.Name()), opened, known); err != nil {
			return err
		}
	}
	return nil
}

func (f *files) sweepDir(dir string, opened time.Time, known func([]string) (map[string]bool, error)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if _, err := hash(e.Name()); err == nil {
			names = append(names, e.Name())
		}
	}
	rows, err := known(names)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !rows[n] {
			f.removeOld(filepath.Join(dir, n), opened)
		}
	}
	return nil
}

// removeOld deletes a file that no one staged since the store was opened.
func (f *files) removeOld(path string, opened time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holders > 0 {
		return // a backup may copy it; it is swept at the next start
	}
	info, err := os.Stat(path)
	if err == nil && info.ModTime().Before(opened) && f.staged[filepath.Base(path)] == 0 {
		os.Remove(path)
	}
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
