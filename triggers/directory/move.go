package directory

import (
	"context"
	"errors"
	"path"

	"golang.org/x/sys/unix"
)

// comesFrom returns the file that was known under another name and is here now: its old
// name does not lead to it any more, and it is the same inode, which the kernel said
// was moved from there, or which has the same size and modification, or was born before
// the file was seen under its old name.
func (w *watch) comesFrom(b *branch, name string, s stamp, from string) *file {
	for f := w.inodes[s.ino]; f != nil; f = f.twin {
		switch {
		case f.dir == b && f.name == name, !w.sameDevice(f, s.dev):
		case (f.size != s.size || f.mtime != s.mtime) && (from == "" || f.rel() != from) && !w.bornBefore(b, name, s, f):
			// A new file may get the inode of one that is gone.
		case w.left(f, s.ino):
			return f
		}
	}
	return nil
}

// bornBefore tells whether a file was there when another name of its inode was seen:
// the kernel's word for a move may come later than another's for the new name, and not
// at all of what happens while nobody watches.
func (w *watch) bornBefore(b *branch, name string, s stamp, f *file) bool {
	if w.rules.network {
		return false
	}
	var sx unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, w.real+"/"+b.join(name), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME|unix.STATX_INO, &sx)
	born := sx.Btime.Sec*1e9 + int64(sx.Btime.Nsec)
	return err == nil && sx.Mask&unix.STATX_BTIME != 0 && sx.Ino == s.ino && born != 0 && born <= f.ctime
}

// left tells whether the name of a file does not lead to its inode any more.
func (w *watch) left(f *file, ino uint64) bool {
	st, err := w.lstat(f.dir, f.name)
	if err == nil {
		return st.Ino != ino // else it is a hard link
	}
	return errors.Is(err, unix.ENOENT) || errors.Is(err, errReplaced)
}

// rename gives a file its new name. What it owes, and since when it has been quiet,
// stays; what was reported of it is not reported again. over is what was known under
// the new name: then that name has another content, which is news to its readers.
func (w *watch) rename(ctx context.Context, f, over *file, b *branch, name string, s stamp, how sign, now int64) error {
	src := f.rel()
	switch {
	case over != nil || w.rules.news(f.stamp, s):
		f.key = ""
	case f.key == "" && f.owed == 0:
		f.key = eventKey(w.dir, src, w.complete(), f.stamp)
	}
	if f.ghost {
		w.lay(f) // its name lives on
		f.ghost = false
	} else {
		w.tellMoved(src, b.join(name))
		w.tellGone(src)
		w.drop(f)
	}
	whole := how&signClosed != 0
	if over != nil {
		f.owed = w.rules.changed(over.entry)
		f.since, f.paced = w.rules.firstSight(s, now), over.paced
		f.first, f.old = over.first, false
		w.haunt(over)
		w.unlink(over)
		whole = how.whole()
	}
	if !w.rules.news(f.stamp, s) {
		f.stamp = s // its ctime is that of the renaming, which does not disturb it
	}
	f.missing, f.seen = false, w.look
	w.link(f, b, name)
	v := w.rules.judge(&f.entry, s, whole, now)
	w.restamp(f, v.entry)
	w.tellSaw(f)
	if err := w.report(f, w.rules.want&moved, src); err != nil {
		return err
	}
	if f.owed != 0 {
		w.await(f)
	}
	return w.keep(ctx, f, v.report)
}

// haunt remembers for a moment what was known under a name that is another file's now:
// a log that is renamed to make room for the next one was handled already.
func (w *watch) haunt(f *file) {
	g := &file{entry: f.entry, first: f.first, old: f.old, dir: f.dir, name: f.name, ghost: true}
	w.index(g)
	w.misses(g, nil)
}

// lay ends a ghost.
func (w *watch) lay(f *file) {
	if f.dir != nil {
		w.unindex(f)
		f.dir = nil
	}
}

// meets is told of a folder in a folder. What has to be listed is left to the scan.
func (w *watch) meets(s *scan, b *branch, name string, st *unix.Stat_t, how sign) {
	child := b.sub(name)
	child.seen, child.missing = w.look, false
	w.tellFolder(child.rel, true)
	dev := uint64(st.Dev) //nolint:unconvert // 32 bits wide elsewhere
	if other := w.folders[st.Ino]; other != nil && other != child && other.id.dev == dev && !w.stands(other) {
		// It was moved here. Its watches are given back before they are asked for
		// under the new name: one inode has one watch.
		w.leaveAll(other)
		other.each(func(b *branch) { w.tellFolder(b.rel, false) })
		w.misses(nil, other)
	}
	if how&signLost != 0 {
		w.ignore(child)
	}
	same := child.id.ino == st.Ino && child.id.dev == dev
	if same && !s.deep && (child.watched != nil || child.deaf || w.mode == modePoll) {
		return
	}
	s.todo = append(s.todo, child)
}

// stands tells whether a folder is where it was.
func (w *watch) stands(b *branch) bool {
	if b.up == nil {
		return b == w.top
	}
	st, err := w.lstat(b.up, path.Base(b.rel))
	return err == nil && st.Ino == b.id.ino && uint64(st.Dev) == b.id.dev //nolint:unconvert // 32 bits wide elsewhere
}
