package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxProbed bounds how many names one look beside Run goes through.
const maxProbed = 200_000

func (h *hub) probes() int {
	if h.probed > 0 {
		return h.probed
	}
	return maxProbed
}

// errProbed ends a walk that has seen enough.
var errProbed = errors.New("that many names are not looked at")

// found is a name below the root, as lstat sees it.
type found struct {
	rel string
	stamp
	mode uint32
}

func (f *found) regular() bool { return f.mode&unix.S_IFMT == unix.S_IFREG }
func (f *found) folder() bool  { return f.mode&unix.S_IFMT == unix.S_IFDIR }

// walk looks at what is there, beside Run and without a trace: it shares nothing with
// the watch.
type walk struct {
	*config
	roots   []string // where triggers may look; empty: everywhere
	limit   int      // names; 0: any number
	into    func(rel string) bool
	visit   func(found) error
	real    string
	file    bool   // dir_path is a file
	network string // the type of a network file system, or empty
	names   int
	skipped int  // that can't be looked at
	linked  bool // the place to start at is behind a link
}

// start finds the root.
func (w *walk) start() error {
	place, err := filepath.EvalSymlinks(w.path)
	if err != nil {
		return err
	}
	if err := allowed(place, w.roots); err != nil {
		return err
	}
	w.real = place
	var st unix.Stat_t
	if err := unix.Lstat(place, &st); err != nil {
		return fmt.Errorf("look at %s: %w", w.path, err)
	}
	w.file = st.Mode&unix.S_IFMT != unix.S_IFDIR
	root := place
	if w.file {
		root = path.Dir(place)
	}
	d, err := openFolder(root)
	if err != nil {
		return err
	}
	w.network = d.network
	d.close()
	return nil
}

// from visits everything at and below a path relative to the root, in order of names.
func (w *walk) from(ctx context.Context, rel string) error {
	if w.file {
		return w.look(path.Dir(w.real), path.Base(w.real), path.Base(w.path))
	}
	if rel != "" {
		return w.one(ctx, rel)
	}
	return w.list(ctx, "")
}

// one visits a path and what is below it.
func (w *walk) one(ctx context.Context, rel string) error {
	dir, base := split(rel)
	d, err := openBelow(strings.TrimSuffix(w.real+"/"+dir, "/"))
	if err != nil {
		var st unix.Stat_t
		w.linked = errors.Is(err, unix.ELOOP) ||
			unix.Lstat(w.real+"/"+dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
		return gone(err)
	}
	d.close()
	return w.step(ctx, dir, base)
}

// gone makes nothing of what is not there any more.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return err
}

// list visits what is in a folder.
func (w *walk) list(ctx context.Context, rel string) error {
	var names []string
	d, err := openBelow(strings.TrimSuffix(w.real+"/"+rel, "/"))
	if err != nil {
		w.skipped++
		return nil //nolint:nilerr // counted; it may just have gone
	}
	if w.network == "" {
		w.network = d.network
	}
	for {
		some, err := d.file.Readdirnames(maxChanges)
		names = append(names, some...)
		if err != nil || w.limit > 0 && w.names+len(names) > w.limit {
			if err != nil && !errors.Is(err, io.EOF) {
				w.skipped++
			}
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	d.close()
	slices.Sort(names)
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if w.names++; w.limit > 0 && w.names > w.limit {
			return errProbed
		}
		if err := w.step(ctx, rel, name); err != nil {
			return err
		}
	}
	return nil
}

// step visits one name, and what is below it.
func (w *walk) step(ctx context.Context, dir, name string) error {
	rel := name
	if dir != "" {
		rel = dir + "/" + name
	}
	var folder bool
	visit := w.visit
	w.visit = func(f found) error {
		folder = f.folder()
		return visit(f)
	}
	err := w.look(strings.TrimSuffix(w.real+"/"+dir, "/"), name, rel)
	w.visit = visit
	if err != nil || !folder || !w.recursive || w.prunes(rel) != "" || w.into != nil && !w.into(rel) {
		return err
	}
	return w.list(ctx, rel)
}

// look visits one name.
func (w *walk) look(dir, name, rel string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir+"/"+name, &st); err != nil {
		if !errors.Is(err, unix.ENOENT) {
			w.skipped++
		}
		return nil
	}
	return w.visit(found{rel, stampOf(&st), st.Mode})
}

// age is since when a file has been quiet, as far as its times tell (ns). A time of
// modification may be any, as of cameras whose clocks are wrong; on a local file system
// ctime is by our clock.
func (w *walk) age(s stamp, now int64) int64 {
	if w.network == "" {
		return min(s.ctime, now)
	}
	return min(max(s.mtime, s.ctime), now)
}

// quietTime is the settle that counts on this file system.
func (w *walk) quietTime() time.Duration {
	switch {
	case w.settleGiven:
		return w.settle
	case w.network != "":
		return settleNetwork
	}
	return settleLocal
}
