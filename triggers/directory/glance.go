package directory

import (
	"context"
	"errors"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// glance looks at the folders, not at what is in them: whether they are the same as
// when they were listed. It finds cheaply what the kernel has no hint for, such as
// another file system mounted over a folder.
func (w *watch) glance(ctx context.Context) error {
	if w.lost || w.root == nil || w.nextGlance.IsZero() {
		return nil
	}
	if every := w.glances(); every < glanceEvery {
		w.nextGlance = earlier(w.nextGlance, time.Now().Add(every))
	}
	if time.Now().Before(w.nextGlance) {
		return nil
	}
	began := time.Now()
	defer func() {
		w.opened.close()
		w.nextGlance = spread(time.Now(), max(w.glances(), lookShare*time.Since(began)))
	}()
	var st unix.Stat_t
	switch {
	case unix.Stat(w.dir, &st) != nil || !w.top.id.of(&st):
		w.nextLook = time.Now()
		return nil
	case w.only != "":
		return w.hinted(ctx, hint{name: w.only})
	case w.top.mtime != st.Mtim.Nano():
		if err := w.listTop(ctx); err != nil {
			return err
		}
	}
	var other []string
	w.top.each(func(b *branch) {
		if b.up == nil || b.id == (identity{}) {
			return
		}
		if st, err := w.lstat(b.up, path.Base(b.rel)); err != nil || !b.id.of(&st) || b.mtime != st.Mtim.Nano() {
			other = append(other, b.rel)
		}
	})
	for _, rel := range other {
		if err := w.hinted(ctx, hint{name: rel, sign: signLost}); err != nil {
			return err
		}
	}
	return nil
}

// glances is how often to glance. That a file system is mounted where one is missing is
// told by nobody, and people wait for it.
func (w *watch) glances() time.Duration {
	if w.away > 0 || w.root != nil && w.cursor.Dev != w.root.dev {
		return pollEvery
	}
	return glanceEvery
}

// listTop lists the root alone, and folders that are new in it. Names may have come or
// gone since it was listed.
func (w *watch) listTop(ctx context.Context) error {
	d, err := openFolder(w.real)
	if err != nil {
		w.nextLook = time.Now()
		return nil // the look finds out why
	}
	defer d.close()
	if !d.same(w.root) || w.cursor.Dev != d.dev {
		w.nextLook = time.Now()
		return nil
	}
	w.look++
	s := scan{n: w.look}
	if _, err := w.list(ctx, &s, w.top, d); err != nil {
		var t *trouble
		if errors.As(err, &t) {
			w.nextLook = time.Now()
			return nil
		}
		return err
	}
	return w.run(ctx, &s)
}

// of tells whether a folder is the one that was opened.
func (i identity) of(st *unix.Stat_t) bool {
	return i.ino == st.Ino && i.dev == uint64(st.Dev) //nolint:unconvert // Dev is 32 bits wide elsewhere
}
