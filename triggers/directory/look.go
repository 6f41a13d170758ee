package directory

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

// lookAtAll compares the folder with the inventory. Trouble with the folder is a
// state, not an error.
func (w *watch) lookAtAll(ctx context.Context) error {
	began := time.Now()
	err := w.tryLook(ctx)
	w.lastLook = time.Now()
	var t *trouble
	if errors.As(err, &t) {
		w.failed(t)
		return nil
	}
	if err != nil {
		return err
	}
	w.lost, w.retry = false, 0
	every := lookEvery
	if w.watched == nil || w.polls() {
		every = pollEvery
	}
	if w.interval > 0 {
		every = w.interval
	}
	w.nextLook = w.lastLook.Add(max(every, lookShare*w.lastLook.Sub(began)))
	w.tell()
	return nil
}

// tryLook opens the folder, makes sure it is watched, and goes through it.
func (w *watch) tryLook(ctx context.Context) error {
	if w.baseline {
		if err := w.findPlace(); err != nil {
			return &trouble{err}
		}
	}
	d, err := openFolder(w.dir)
	if err != nil {
		return &trouble{err}
	}
	defer func() { d.close() }()
	if w.watched == nil || !w.root.same(d) {
		// The watch comes first, so that nothing happens unseen between it and
		// the listing; then the folder is opened again, for it may be another.
		w.rewatch()
		again, err := openFolder(w.dir)
		if err != nil {
			return &trouble{err}
		}
		if !again.same(d) {
			w.hints.lose(true) // it changes under our eyes: soon once more
		}
		d.close()
		d = again
	}
	known := w.root
	w.setRoot(d)
	return w.goThrough(ctx, d, known)
}

// setRoot takes over what follows from the file system.
func (w *watch) setRoot(d *folder) {
	w.lost = false
	w.root = &folder{dev: d.dev, ino: d.ino, mount: d.mount, network: d.network}
	w.rules.network = d.network != ""
	if w.settle == 0 {
		w.rules.settle = settleLocal
		if w.rules.network {
			w.rules.settle = settleNetwork
		}
	}
}

// goThrough lists the folder. known is the folder of the last look in this process.
func (w *watch) goThrough(ctx context.Context, d *folder, known *folder) error {
	w.look++
	w.skipped, w.skipErr = 0, nil
	fresh := w.baseline
	if fresh && w.fire {
		// Everything there counts as new, so the baseline is empty.
		for name := range w.files {
			w.drop(name)
			if err := w.flushFull(ctx); err != nil {
				return err
			}
		}
		w.baseline = false
		if err := w.setCursor(w.cursorOf(d)); err != nil {
			return err
		}
	}
	evidence, empty, err := w.list(ctx, d)
	if err != nil {
		return err
	}
	if fresh || w.trusts(d, known, evidence, empty) {
		if err := w.sweep(ctx, fresh); err != nil {
			return err
		}
		if c := w.cursorOf(d); c != w.cursor {
			if err := w.setCursor(c); err != nil {
				return err
			}
		}
	}
	w.baseline = false
	return w.flush(ctx)
}

// sweep forgets what the look has not seen. A new baseline knows nothing else.
func (w *watch) sweep(ctx context.Context, fresh bool) error {
	w.sweeping = true
	defer func() { w.sweeping = false }()
	for name, f := range w.files {
		var err error
		switch {
		case f.seen == w.look:
		case fresh:
			w.drop(name)
			err = w.flushFull(ctx)
		default:
			err = w.consider(ctx, name, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) cursorOf(d *folder) cursor {
	return cursor{Scope: w.scope(), File: w.only != "", Dev: d.dev, Ino: d.ino}
}

func (w *watch) flushFull(ctx context.Context) error {
	if w.full() {
		return w.flush(ctx)
	}
	return nil
}

// list considers every name. evidence: a file known from another device number is
// here, unchanged, so it is the same file system. empty: there are no names.
func (w *watch) list(ctx context.Context, d *folder) (evidence, empty bool, err error) {
	empty = true
	if w.only != "" {
		return false, false, w.consider(ctx, w.only, false)
	}
	for {
		w.alarm.Reset(patience)
		names, err := d.file.Readdirnames(maxChanges)
		slices.Sort(names) // the order of a directory is random; instruments number their files
		for _, name := range names {
			empty = false
			f := w.files[name]
			var before stamp
			if f != nil {
				before = f.stamp
			}
			if err := w.consider(ctx, name, false); err != nil {
				return false, false, err
			}
			if f != nil && f.seen == w.look && before.dev != d.dev && !w.rules.news(before, f.stamp) {
				evidence = true
			}
		}
		if errors.Is(err, io.EOF) {
			return evidence, empty, nil
		}
		if err != nil {
			return false, false, &trouble{err}
		}
		if err := w.heed(ctx); err != nil {
			return false, false, err
		}
	}
}

// trusts tells whether what is not in d is really gone. A folder that is not mounted
// looks like an empty one.
func (w *watch) trusts(d, known *folder, evidence, empty bool) bool {
	switch {
	case len(w.files) == 0, evidence:
		return true
	case d.dev != w.cursor.Dev:
		return false
	case d.ino == w.cursor.Ino:
		return true
	case known != nil:
		return d.mount == known.mount // removed and made again, not unmounted
	}
	return !empty
}

// rewatch asks for hints about the folder, if the mode wants any.
func (w *watch) rewatch() {
	w.unwatch()
	w.blind = nil
	if w.mode == modePoll {
		return
	}
	watched, err := w.hub.watch(w.dir, &w.hints, w.want.has(closed), w.want.has(created|ready))
	if err != nil {
		w.blind = err
		return
	}
	w.watched = watched
}

func (w *watch) unwatch() {
	if w.watched != nil {
		w.watched.close()
		w.watched = nil
	}
}
