package directory

import (
	"container/heap"
	"context"
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/triggers"
)

const (
	// lookEvery is how often everything is looked at while hints arrive, pollEvery
	// while they don't. Both grow with the time a look takes.
	lookEvery = time.Minute
	pollEvery = 5 * time.Second
	// lookShare bounds the part of the time that looks may take: one in so many.
	lookShare = 50
	// rescanAfter keeps floods of lost hints from looking without end.
	rescanAfter = 200 * time.Millisecond
	// rootEvery is how often a missing folder is looked for; it doubles up to rootMax.
	rootEvery = 250 * time.Millisecond
	rootMax   = 5 * time.Second
	// breath is how long hints that are not urgent are collected.
	breath = 20 * time.Millisecond
)

// watch is one run of a source. It belongs to one goroutine.
type watch struct {
	config
	rules  rules
	hub    *hub
	hints  *hints
	health func(triggers.State, string)
	emit   triggers.Emit

	place
	cursor   cursor
	baseline bool // the inventory is not about this place yet
	files    map[string]*file
	waits    waits
	look     uint32 // counts looks at everything
	batch    triggers.Batch

	watched  *watched
	root     *folder // the folder that is watched, closed
	lost     bool    // the folder can't be read
	sweeping bool    // what is not there is gone for good
	blind    error   // why there are no hints although they are wanted
	retry    time.Duration
	skipped  int   // files that the look could not stat
	skipErr  error // the first reason

	nextLook time.Time // everything
	lastLook time.Time // when the last look at everything ended
	lastTake time.Time // when hints were taken last
}

func splitPath(p string) (dir, name string) { return filepath.Dir(p), filepath.Base(p) }

// loop looks, reports and waits, in turns.
func (w *watch) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := w.turn(ctx); err != nil {
			return err
		}
		soft, until := w.hints.soft, w.next()
		if rested := w.lastTake.Add(breath); time.Now().Before(rested) {
			soft, until = nil, earlier(until, rested)
		}
		timer.Reset(time.Until(until))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.hints.wake:
		case <-soft:
		case <-timer.C:
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// next is when there is something to do without a hint.
func (w *watch) next() time.Time {
	if len(w.waits) == 0 || w.lost {
		return w.nextLook
	}
	return earlier(w.nextLook, time.Unix(0, w.waits[0].due))
}

// turn does what is to be done now. What hints told goes out first.
func (w *watch) turn(ctx context.Context) error {
	if err := w.heed(ctx); err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if !time.Now().Before(w.nextLook) {
		if err := w.lookAtAll(ctx); err != nil {
			return err
		}
		if err := w.heed(ctx); err != nil {
			return err
		}
	}
	if err := w.wakeWaits(ctx); err != nil {
		return err
	}
	return w.flush(ctx)
}

// heed looks at the names that hints told of.
func (w *watch) heed(ctx context.Context) error {
	if w.baseline {
		return nil // what was told meanwhile is looked at when the baseline is taken
	}
	list, rescan, moved := w.hints.take()
	now := time.Now()
	if len(list) > 0 {
		w.lastTake = now
	}
	if moved {
		w.unwatch()
		w.nextLook = now
	}
	if rescan {
		w.nextLook = earlier(w.nextLook, w.lastLook.Add(rescanAfter))
	}
	if w.lost {
		return nil // the look that ends this sees everything
	}
	for _, h := range list {
		if err := w.consider(ctx, h.name, h.closed); err != nil {
			return err
		}
	}
	return nil
}

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
