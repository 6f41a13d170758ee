package directory

import (
	"context"
	"errors"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// linger is how long a name may be missing before it counts as gone: the other half of
// a rename may still be on its way.
const linger = 500 * time.Millisecond

// missed is a file or a folder that is not where it was.
type missed struct {
	due    time.Time
	look   uint32 // the last look at everything before
	file   *file  // or
	branch *branch
}

// misses notes that a file or a folder is not there.
func (w *watch) misses(f *file, b *branch) {
	m := missed{due: time.Now().Add(w.hub.lingers()), look: w.fullLook}
	if f != nil && !f.missing {
		f.missing, m.file = true, f
		w.missing = append(w.missing, m)
	}
	if b != nil && !b.missing {
		b.missing, m.file, m.branch = true, nil, b
		w.missing = append(w.missing, m)
	}
}

// giveUp forgets what has been missing for long enough.
func (w *watch) giveUp(ctx context.Context) error {
	now := time.Now()
	if w.lost || len(w.missing) == 0 || now.Before(w.missing[0].due) {
		return nil
	}
	defer w.opened.close()
	if !w.rootStands() {
		w.found()
		w.hints.lose(true)
		return nil
	}
	for len(w.missing) > 0 && !now.Before(w.missing[0].due) {
		m := w.missing[0]
		if w.blinded() && m.look == w.fullLook {
			w.nextLook = now // nobody tells where it went
			return nil
		}
		w.missing = w.missing[1:]
		var err error
		if m.file != nil {
			err = w.giveUpFile(ctx, m.file)
		} else {
			err = w.giveUpFolder(ctx, m.branch)
		}
		if err != nil {
			return err
		}
	}
	if len(w.missing) == 0 {
		w.missing = nil
	}
	return nil
}

// found forgets what was missing: it was not looked for in the right place.
func (w *watch) found() {
	for _, m := range w.missing {
		switch {
		case m.file != nil && m.file.ghost:
			w.lay(m.file)
		case m.file != nil:
			m.file.missing = false
		default:
			m.branch.missing = false
		}
	}
	w.missing = nil
}

// blinded tells whether files may move without a hint.
func (w *watch) blinded() bool { return w.top.watched == nil || w.deaf > 0 || w.polls() }

func (w *watch) giveUpFile(ctx context.Context, f *file) error {
	if f.ghost {
		w.lay(f)
		return nil
	}
	if f.dir == nil || !f.missing {
		return nil
	}
	b := f.dir
	switch st, err := w.lstat(b, f.name); {
	case errors.Is(err, errReplaced):
		f.missing = false
		w.hints.add(hint{name: b.rel, sign: signLost})
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG:
		err := w.hinted(ctx, hint{name: f.rel()})
		f.missing = false
		return err
	case err != nil && !errors.Is(err, unix.ENOENT):
		f.missing = false // nobody knows
	case b.up != nil && w.opened.of != b:
		f.missing = false
		w.misses(nil, b) // the whole folder is not there
	case !w.sameDevice(f, w.deviceOf(b)):
		f.missing = false
	default:
		return w.lose(ctx, f)
	}
	return nil
}

func (w *watch) giveUpFolder(ctx context.Context, b *branch) error {
	if b.up == nil || !b.missing {
		return nil
	}
	up := b.up
	st, err := w.lstat(up, path.Base(b.rel))
	switch {
	case errors.Is(err, errReplaced):
		b.missing = false
		w.hints.add(hint{name: up.rel, sign: signLost})
		return nil
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && b.id == (identity{}),
		err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Ino == b.id.ino:
		err := w.hinted(ctx, hint{name: b.rel, sign: signLost})
		b.missing = false
		return err
	case err != nil && !errors.Is(err, unix.ENOENT):
		b.missing = false
		return nil
	case up.up != nil && w.opened.of != up:
		b.missing = false
		w.misses(nil, up)
		return nil
	}
	w.leaveAll(b)
	return w.loseFolder(ctx, b, w.deviceOf(up))
}

// deviceOf is the file system of a folder that was just asked for a name.
func (w *watch) deviceOf(b *branch) uint64 {
	if b.up == nil {
		return w.root.dev
	}
	return w.opened.dev
}

// loseFolder forgets what is known below a folder that is gone. What is on another
// file system than the folder it was in is kept: that may only be unmounted.
func (w *watch) loseFolder(ctx context.Context, b *branch, dev uint64) error {
	b.missing = false
	for _, f := range b.files {
		if !w.sameDevice(f, dev) {
			f.missing = false
			w.away++
			continue
		}
		if err := w.lose(ctx, f); err != nil {
			return err
		}
	}
	for _, s := range b.subs {
		if err := w.loseFolder(ctx, s, dev); err != nil {
			return err
		}
	}
	w.cut(b)
	return nil
}

// lose forgets a file that is gone, and reports that.
func (w *watch) lose(ctx context.Context, f *file) error {
	if err := w.report(f, w.rules.want&deleted, ""); err != nil {
		return err
	}
	w.tellGone(f.rel())
	w.drop(f)
	return w.flushFull(ctx)
}

// rootStands tells whether the folder that was looked at last is still in its place.
func (w *watch) rootStands() bool {
	var st unix.Stat_t
	return !w.lost && w.root != nil && unix.Stat(w.dir, &st) == nil &&
		uint64(st.Dev) == w.root.dev && st.Ino == w.root.ino && w.cursor.Dev == w.root.dev //nolint:unconvert // Dev is 32 bits wide elsewhere
}

// sameDevice tells whether a file was on this file system when it was seen last, as far
// as device numbers tell: they may change with a restart.
func (w *watch) sameDevice(f *file, dev uint64) bool {
	return f.dev == dev || w.aliases[f.dev] == dev
}

// renumbered notes that a file system has another number than before: a file that is
// known from the old one is on it, unchanged.
func (w *watch) renumbered(from, to uint64) {
	if w.aliases == nil {
		w.aliases = map[uint64]uint64{}
	}
	w.aliases[from] = to
}

func (h *hub) lingers() time.Duration {
	if h.linger > 0 {
		return h.linger
	}
	return linger
}
