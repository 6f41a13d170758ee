package directory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// lookAtAll compares the tree with the inventory. Trouble with its root is a state,
// not an error.
func (w *watch) lookAtAll(ctx context.Context) error {
	began := time.Now()
	w.hub.looks.Add(1)
	w.rescan, w.saving = false, 0
	err := w.tryLook(ctx)
	w.opened.close()
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
	w.took = w.lastLook.Sub(began) - w.saving
	w.every = w.pause(w.took)
	w.nextLook = spread(w.lastLook, w.every)
	if w.rescan { // what was lost meanwhile may be about what was looked at before
		w.nextLook = w.lastLook.Add(rescanAfter)
	}
	w.nextGlance = spread(w.lastLook, w.glances())
	w.tell()
	return nil
}

// pause is how long after a look that took so long the next one comes.
func (w *watch) pause(took time.Duration) time.Duration {
	switch {
	case w.interval > 0:
		return max(w.interval, pollShare*took)
	case w.blinded():
		return max(pollEvery, nice(pollShare*took)) // people are told: it must not differ each time
	case w.skipped > 0: // no hint tells when it can be read
		return max(unreadEvery, lookShare*took)
	}
	return max(lookEvery, lookShare*took)
}

// hasten brings the next look forward when what was found since the last one, such as a
// network file system, wants looks more often.
func (w *watch) hasten() {
	if every := w.pause(w.took); every < w.every {
		w.every = every
		w.nextLook = earlier(w.nextLook, spread(w.lastLook, every))
	}
}

// spread is about so long after an instant: many triggers must not look all at once,
// nor each at a time of its own. What is short is kept as it is.
func spread(from time.Time, d time.Duration) time.Time {
	if d < 2*beat {
		return from.Add(d)
	}
	d = d*3/4 + rand.N(d/2)
	return from.Add(d - time.Duration(from.Add(d).UnixNano()%int64(beat)))
}

// tryLook opens the folder, makes sure it is watched, and goes through it.
func (w *watch) tryLook(ctx context.Context) error {
	if w.baseline {
		if err := w.findPlace(); err != nil {
			return &trouble{err}
		}
	}
	d, err := w.openRoot()
	if err != nil {
		return &trouble{err}
	}
	defer func() { d.close() }()
	w.look++
	if w.top.watched == nil || !w.root.same(d) {
		for _, b := range w.top.subs {
			w.leaveAll(b)
		}
		// The watch comes first, so that nothing happens unseen between it and
		// the listing; then the folder is opened again, for it may be another.
		w.listen(w.top, d, w.real)
		again, err := w.openRoot()
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

// openRoot opens the folder, wherever links lead to now, if that is allowed.
func (w *watch) openRoot() (*folder, error) {
	resolved, err := filepath.EvalSymlinks(w.dir)
	if err != nil {
		return nil, err
	}
	if err := allowed(filepath.Join(resolved, w.only), w.hub.roots); err != nil {
		return nil, err
	}
	w.real = resolved
	return openFolder(resolved)
}

// setRoot takes over what follows from the file system.
func (w *watch) setRoot(d *folder) {
	w.lost = false
	w.root = &folder{identity: d.identity, network: d.network}
	w.top.id = d.identity
	w.distant = ""
	w.remote(d.network)
}

// remote takes over what follows from a network file system, somewhere in the tree;
// empty: there is none.
func (w *watch) remote(network string) {
	if network != "" {
		w.distant = network
	}
	w.rules.network = w.distant != ""
	if !w.settleGiven {
		w.rules.settle = settleLocal
		if w.rules.network {
			w.rules.settle = settleNetwork
		}
	}
}

// goThrough lists the tree. known is its root at the last look in this process.
func (w *watch) goThrough(ctx context.Context, d *folder, known *folder) error {
	w.fullLook = w.look
	w.skipped, w.skipErr, w.away = 0, nil, 0
	fresh := w.baseline
	if fresh && w.fire {
		// Everything there counts as new, so the baseline is empty.
		if err := w.dropAll(ctx, w.top); err != nil {
			return err
		}
		w.baseline = false
		if err := w.setCursor(w.cursorOf(d)); err != nil {
			return err
		}
	}
	s := scan{n: w.look, deep: true}
	empty, err := w.listRoot(ctx, &s, d)
	if err != nil {
		return err
	}
	if err := w.listAll(ctx, &s); err != nil {
		return err
	}
	evidence := w.aliases[w.cursor.Dev] == d.dev && d.dev != w.cursor.Dev
	if fresh || w.trusts(d, known, evidence, empty) {
		if err := w.sweep(ctx, &s, fresh); err != nil {
			return err
		}
		w.tellLooked()
		if err := w.assemble(ctx); err != nil {
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

func (w *watch) listRoot(ctx context.Context, s *scan, d *folder) (empty bool, err error) {
	if w.only != "" {
		s.listed = append(s.listed, w.top) // for what else was known, before an edit
		return false, w.consider(ctx, s, w.top, w.only, hint{})
	}
	return w.list(ctx, s, w.top, d)
}

func (w *watch) cursorOf(d *folder) cursor {
	return cursor{Scope: w.scope(), File: w.only != "", Dev: d.dev, Ino: d.ino, Learned: w.learned}
}

// trusts tells whether what is not in d is really gone. A folder that is not mounted
// looks like an empty one.
func (w *watch) trusts(d, known *folder, evidence, empty bool) bool {
	switch {
	case w.count == 0, evidence:
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

// readBelow reads up to limit bytes of a regular file below the root.
func (w *watch) readBelow(rel string, limit int64) ([]byte, error) {
	b, err := readStrictly(w.real, rel, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", w.dir+"/"+rel, err)
	}
	return b, nil
}
