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
	switch {
	case w.file:
		d, err := openBelow(path.Dir(w.real))
		if err != nil {
			return err
		}
		some := w.stat(d, "", []string{path.Base(w.real)})
		d.close()
		for i := range some {
			some[i].rel = path.Base(w.path)
		}
		return w.visitAll(ctx, some)
	case rel != "":
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
	some := w.stat(d, dir, []string{base})
	d.close()
	return w.visitAll(ctx, some)
}

// gone makes nothing of what is not there any more.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return err
}

// list visits what is in a folder. That is looked at before the folder is closed: its
// name may lead elsewhere later.
func (w *walk) list(ctx context.Context, rel string) error {
	d, err := openBelow(strings.TrimSuffix(w.real+"/"+rel, "/"))
	if err != nil {
		w.skipped++
		return nil //nolint:nilerr // counted; it may just have gone
	}
	if w.network == "" {
		w.network = d.network
	}
	some := w.stat(d, rel, w.namesIn(ctx, d))
	d.close()
	return w.visitAll(ctx, some)
}

// namesIn lists an open folder, sorted, as far as the limit goes and one more.
func (w *walk) namesIn(ctx context.Context, d *folder) []string {
	var names []string
	for ctx.Err() == nil {
		some, err := d.file.Readdirnames(maxChanges)
		names = append(names, some...)
		if err != nil && !errors.Is(err, io.EOF) {
			w.skipped++
		}
		if err != nil || w.limit > 0 && w.names+len(names) > w.limit {
			break
		}
	}
	slices.Sort(names)
	if w.limit > 0 {
		names = names[:min(len(names), w.limit-w.names+1)]
	}
	return names
}

// stat looks at names in an open folder. Those that are gone meanwhile are left out.
func (w *walk) stat(d *folder, dir string, names []string) []found {
	list := make([]found, 0, len(names))
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(int(d.file.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			if !errors.Is(err, unix.ENOENT) {
				w.skipped++
			}
			continue
		}
		rel := name
		if dir != "" {
			rel = dir + "/" + name
		}
		list = append(list, found{rel, stampOf(&st), st.Mode})
	}
	return list
}

// visitAll visits names, and what is below them.
func (w *walk) visitAll(ctx context.Context, list []found) error {
	for _, f := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if w.names++; w.limit > 0 && w.names > w.limit {
			return errProbed
		}
		if err := w.visit(f); err != nil {
			return err
		}
		if !f.folder() || !w.recursive || w.prunes(f.rel) != "" || w.into != nil && !w.into(f.rel) {
			continue
		}
		if err := w.list(ctx, f.rel); err != nil {
			return err
		}
	}
	return nil
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
