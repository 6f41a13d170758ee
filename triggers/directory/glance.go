package directory

import (
	"context"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// glance looks at the folders, not at what is in them: whether they are the same as
// when they were listed. It finds cheaply what the kernel has no hint for, such as
// another file system mounted over a folder.
func (w *watch) glance(ctx context.Context) error {
	if w.lost || w.root == nil || w.nextGlance.IsZero() || time.Now().Before(w.nextGlance) {
		return nil
	}
	began := time.Now()
	defer func() {
		w.opened.close()
		w.nextGlance = spread(time.Now(), max(glanceEvery, lookShare*time.Since(began)))
	}()
	var st unix.Stat_t
	if unix.Stat(w.dir, &st) != nil || differs(w.top, &st) {
		w.nextLook = time.Now()
		return nil
	}
	var other []string
	w.top.each(func(b *branch) {
		if b.up == nil || b.id == (identity{}) {
			return
		}
		if st, err := w.lstat(b.up, path.Base(b.rel)); err != nil || differs(b, &st) {
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

// differs tells whether names may have come or gone in a folder since it was listed.
func differs(b *branch, st *unix.Stat_t) bool {
	return b.id.ino != st.Ino || b.id.dev != uint64(st.Dev) || b.mtime != st.Mtim.Nano() //nolint:unconvert // Dev is 32 bits wide elsewhere
}
