package directory

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// hinted looks at a name that a hint told of.
func (w *watch) hinted(ctx context.Context, h hint) error {
	if h.name == "" {
		return nil
	}
	rel, base := split(h.name)
	b := w.at(rel)
	if b == nil {
		return nil // a folder that is not watched any more, or not yet: then it will be listed
	}
	s := scan{n: w.look}
	if err := w.consider(ctx, &s, b, base, h); err != nil {
		return err
	}
	if len(s.todo) == 0 {
		return nil
	}
	w.look++
	s.n = w.look
	return w.run(ctx, &s)
}

// consider looks at one name in a folder and puts what is new about it into the batch.
// Folders to be listed are left to the scan.
func (w *watch) consider(ctx context.Context, s *scan, b *branch, name string, h hint) error {
	f, sub := b.files[name], b.subs[name]
	if w.only != "" && name != w.only {
		return nil
	}
	st, err := w.lstat(b, name)
	kind := st.Mode & unix.S_IFMT
	switch {
	case errors.Is(err, unix.ENOENT):
		w.misses(f, sub)
		return nil
	case errors.Is(err, errReplaced):
		w.hints.add(hint{name: b.rel, sign: signLost})
		return nil
	case err != nil:
		w.skipped++
		w.skipErr = err
		if f != nil {
			f.seen = w.look // it is not known to be gone
		}
		if sub != nil {
			sub.seen = w.look
		}
		return nil // counted and shown; the next look tries again
	}
	if kind != unix.S_IFREG {
		w.misses(f, nil)
	}
	if kind != unix.S_IFDIR {
		w.misses(nil, sub)
	}
	switch {
	case kind == unix.S_IFDIR && w.recursive && w.prunes(b.join(name)) == "":
		w.meets(s, b, name, &st, h.sign)
	case kind == unix.S_IFREG && (f != nil && !w.baseline || w.counts(b.join(name))):
		return w.judgeFile(ctx, b, name, f, stampOf(&st), h)
	}
	return nil
}

// counts tells whether a name is among those the trigger is about.
func (w *watch) counts(rel string) bool {
	return w.only != "" || w.leaves(rel) == "" || w.units.counts != nil && w.units.counts(rel)
}

// lasting is the settle from which on a file is stored when it is seen first: a restart
// is likely meanwhile. What is quiet sooner is stored with its events.
const lasting = 30 * time.Second

// judgeFile compares a regular file with what is known under its name; f is nil when
// nothing is.
func (w *watch) judgeFile(ctx context.Context, b *branch, name string, f *file, s stamp, h hint) error {
	now := time.Now().UnixNano()
	if f != nil {
		f.guest = b.hides
	}
	if f != nil && f.dev != s.dev && !w.rules.news(f.stamp, s) {
		w.renumbered(f.dev, s.dev)
	}
	if f != nil && f.missing {
		if w.rules.news(f.stamp, s) {
			if err := w.lose(ctx, f); err != nil { // it was gone in between
				return err
			}
			f = nil
		} else {
			f.missing = false
		}
	}
	if f != nil && f.ino != s.ino && !w.rules.news(f.stamp, s) {
		e := f.entry
		e.ino = s.ino // a network file system was mounted again
		w.restamp(f, e)
	}
	if f == nil || f.ino != s.ino {
		if from := w.comesFrom(b, name, s, h.from); from != nil {
			return w.rename(ctx, from, f, b, name, s, h.sign, now)
		}
		if f != nil {
			w.haunt(f)
		}
	}
	if f == nil {
		f = &file{first: now}
		if w.baseline && !w.fire {
			// What is there already is known and owes nothing.
			f.entry, f.old, f.seen = entry{stamp: s, since: w.rules.firstSight(s, now)}, true, w.look
			w.link(f, b, name)
			w.tellSaw(f)
			return w.keep(ctx, f, 0)
		}
		f.entry = entry{stamp: stamp{ino: s.ino}}
		w.link(f, b, name)
		v := w.rules.judge(nil, s, h.sign.whole(), now)
		v.store = v.store || w.rules.settle >= lasting
		return w.apply(ctx, f, v)
	}
	if w.baseline && !w.fire {
		e := f.entry
		if e.stamp != s {
			e = entry{stamp: s, since: w.rules.firstSight(s, now)}
		}
		e.owed = 0
		w.restamp(f, e)
		f.old, f.seen = true, w.look
		w.tellSaw(f)
		return w.keep(ctx, f, 0)
	}
	return w.apply(ctx, f, w.rules.judge(&f.entry, s, h.sign.whole(), now))
}

// apply takes over a verdict.
func (w *watch) apply(ctx context.Context, f *file, v verdict) error {
	changed := f.stamp != v.stamp || f.since != v.since
	w.learn(f, v)
	if w.rules.news(f.stamp, v.stamp) {
		f.key = ""
	}
	w.restamp(f, v.entry)
	f.seen = w.look
	if v.owed != 0 {
		w.await(f)
	}
	if changed {
		w.tellSaw(f)
	}
	if !v.store {
		return nil
	}
	if v.report != 0 {
		f.old = false
	}
	return w.keep(ctx, f, v.report)
}

// keep puts an entry and its events into the batch, and sends the batch when full.
func (w *watch) keep(ctx context.Context, f *file, k kinds) error {
	if err := w.report(f, k, ""); err != nil {
		return err
	}
	if err := w.put(f); err != nil {
		return err
	}
	return w.flushFull(ctx)
}

// wakeWaits looks again at the files that should be quiet by now.
func (w *watch) wakeWaits(ctx context.Context) error {
	defer w.opened.close()
	now := time.Now().UnixNano()
	for !w.lost {
		f := w.waits.pop(now)
		if f == nil {
			return nil
		}
		if f.dir == nil || f.owed == 0 {
			continue
		}
		if w.rules.due(f.entry) > now {
			w.await(f)
			continue
		}
		if err := w.hinted(ctx, hint{name: f.rel()}); err != nil {
			return err
		}
	}
	return nil
}
