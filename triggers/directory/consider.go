package directory

import (
	"container/heap"
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// consider looks at one file and puts what is new about it into the batch.
func (w *watch) consider(ctx context.Context, name string, wasClosed bool) error {
	if !w.counts(name) {
		return nil
	}
	var st unix.Stat_t
	f := w.files[name]
	switch err := unix.Lstat(w.dir+"/"+name, &st); {
	case errors.Is(err, unix.ENOENT):
		return w.vanished(ctx, name, f)
	case err != nil:
		w.skipped++
		w.skipErr = err
		return nil //nolint:nilerr // counted and shown; the next look tries again
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return w.vanished(ctx, name, f)
	}
	var old *entry
	if f != nil {
		old = &f.entry
		f.seen = w.look
	} else {
		f = &file{seen: w.look}
	}
	s := stampOf(&st)
	if w.baseline && !w.fire {
		// What is there already is known and owes nothing.
		f.entry = entry{stamp: s}
		w.files[name] = f
		return w.keep(ctx, name, f, 0)
	}
	v := w.rules.judge(old, s, wasClosed, time.Now().UnixNano())
	f.entry = v.entry
	w.files[name] = f
	if v.owed != 0 {
		w.await(name, f)
	}
	if !v.store {
		return nil
	}
	return w.keep(ctx, name, f, v.report)
}

// counts tells whether a name is among those the trigger is about.
func (w *watch) counts(name string) bool {
	if w.only != "" {
		return name == w.only
	}
	return w.matches(name)
}

// keep puts an entry and its events into the batch, and sends the batch when full.
func (w *watch) keep(ctx context.Context, name string, f *file, k kinds) error {
	if err := w.report(name, k, f.stamp); err != nil {
		return err
	}
	if err := w.put(name, f.entry); err != nil {
		return err
	}
	if w.full() {
		return w.flush(ctx)
	}
	return nil
}

// vanished forgets a file that is gone, unless it is the folder that is gone.
func (w *watch) vanished(ctx context.Context, name string, f *file) error {
	if f == nil || !w.sweeping && !w.rootStands() {
		return nil
	}
	w.drop(name)
	if w.full() {
		return w.flush(ctx)
	}
	return nil
}

// rootStands tells whether the folder that was looked at last is still in its place.
func (w *watch) rootStands() bool {
	var st unix.Stat_t
	return !w.lost && w.root != nil && unix.Stat(w.dir, &st) == nil &&
		uint64(st.Dev) == w.root.dev && st.Ino == w.root.ino && w.cursor.Dev == w.root.dev //nolint:unconvert // Dev is 32 bits wide elsewhere
}

// wakeWaits looks again at the files that should be quiet by now.
func (w *watch) wakeWaits(ctx context.Context) error {
	now := time.Now().UnixNano()
	for len(w.waits) > 0 && w.waits[0].due <= now && !w.lost {
		name := heap.Pop(&w.waits).(wait).name
		f := w.files[name]
		if f == nil {
			continue
		}
		f.queued = false
		if f.owed == 0 {
			continue
		}
		if w.rules.due(f.entry) > now {
			w.await(name, f)
			continue
		}
		if err := w.consider(ctx, name, false); err != nil {
			return err
		}
	}
	return nil
}
