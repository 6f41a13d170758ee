package directory

import (
	"context"
	"errors"
	"io"
	"slices"

	"golang.org/x/sys/unix"
)

// scan goes through folders: first all are listed, then what was not seen in them is
// missing. Folders are listed while they are watched, so that nothing happens unseen
// between the two.
type scan struct {
	n      uint32 // what it sees has at least this number
	deep   bool   // all folders, not only those that are new
	todo   []*branch
	listed []*branch
}

// run lists the folders that are to be done, and those found in them.
func (w *watch) run(ctx context.Context, s *scan) error {
	if err := w.listAll(ctx, s); err != nil {
		return err
	}
	return w.sweep(ctx, s, false)
}

func (w *watch) listAll(ctx context.Context, s *scan) error {
	for len(s.todo) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		last := len(s.todo) - 1
		b := s.todo[last]
		s.todo = s.todo[:last]
		if b.up == nil {
			continue // it is gone meanwhile
		}
		if err := w.listFolder(ctx, s, b); err != nil {
			return err
		}
	}
	return nil
}

// listFolder opens a folder below the root, watches it and lists it.
func (w *watch) listFolder(ctx context.Context, s *scan, b *branch) error {
	w.alarm.Reset(patience)
	dir := w.real + "/" + b.rel
	d, err := openBelow(dir)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		w.misses(nil, b)
		return nil
	case err != nil:
		w.skipped++
		w.skipErr = err
		return nil // counted and shown; the next look tries again
	}
	defer d.close()
	if b.id != d.identity || b.watched == nil {
		if w.folders[b.id.ino] == b {
			delete(w.folders, b.id.ino)
		}
		b.id = d.identity
		w.folders[b.id.ino] = b
		w.listen(b, d, dir)
	}
	b.settle(d.identity)
	if d.network != "" {
		w.remote(d.network)
	}
	_, err = w.list(ctx, s, b, d)
	var t *trouble
	if errors.As(err, &t) {
		w.skipped++
		w.skipErr = t.err
		return nil
	}
	return err
}

// list considers every name in an open folder, in order as far as one page goes: the
// order of a directory is random, and instruments number their files.
func (w *watch) list(ctx context.Context, s *scan, b *branch, d *folder) (empty bool, err error) {
	empty = true
	from := len(s.todo)
	defer w.opened.close()
	for {
		w.alarm.Reset(patience)
		names, err := d.file.Readdirnames(maxChanges)
		slices.Sort(names)
		for _, name := range names {
			empty = false
			if w.opened.of != b {
				w.opened.close()
				w.opened = handle{of: b, file: d.file, dev: d.dev, kept: true}
			}
			if err := w.consider(ctx, s, b, name, hint{}); err != nil {
				return false, err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, &trouble{err}
		}
		if err := w.heed(ctx); err != nil {
			return false, err
		}
	}
	slices.Reverse(s.todo[from:]) // the last one is done first
	b.mtime = d.mtime
	s.listed = append(s.listed, b)
	return empty, nil
}

// sweep notes what the scan has not seen. A new baseline knows nothing else.
func (w *watch) sweep(ctx context.Context, s *scan, fresh bool) error {
	for _, b := range s.listed {
		for _, f := range b.files {
			switch {
			case f.seen >= s.n:
			case fresh:
				w.drop(f)
			case f.guest == b.hides && w.sameDevice(f, b.id.dev):
				w.misses(f, nil)
			default:
				f.missing = false
				w.away++
			}
			if err := w.flushFull(ctx); err != nil {
				return err
			}
		}
		for _, sub := range b.subs {
			switch {
			case sub.seen >= s.n:
			case fresh:
				if err := w.dropAll(ctx, sub); err != nil {
					return err
				}
			case w.awayBelow(sub, b):
			default:
				w.misses(nil, sub)
			}
		}
	}
	return nil
}

// awayBelow tells whether all that is known below a folder that is not there in up is on
// another file system, or hidden, and counts it.
func (w *watch) awayBelow(b, up *branch) bool {
	count, away := 0, 0
	b.each(func(b *branch) {
		for _, f := range b.files {
			count++
			if f.guest != up.hides || !w.sameDevice(f, up.id.dev) {
				away++
			}
		}
	})
	if count == 0 || away < count {
		return false
	}
	w.away += away
	w.leaveAll(b)
	b.each(func(b *branch) { // none of it is waited for
		b.missing = false
		for _, f := range b.files {
			f.missing = false
		}
	})
	return true
}

// dropAll forgets what is known below a folder without a word.
func (w *watch) dropAll(ctx context.Context, b *branch) error {
	for _, f := range b.files {
		w.drop(f)
		if err := w.flushFull(ctx); err != nil {
			return err
		}
	}
	for _, s := range b.subs {
		if err := w.dropAll(ctx, s); err != nil {
			return err
		}
	}
	w.cut(b)
	return nil
}
