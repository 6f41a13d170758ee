package directory

import (
	"path"
	"strings"
)

// file is an entry of the inventory as this process knows it; what it owes may not be
// stored, because it would be found out again.
type file struct {
	entry
	first   int64   // when it was seen first (ns)
	dir     *branch // nil: it was dropped
	name    string  // in dir
	seen    uint32  // the look that saw it last
	old     bool    // it was there before the trigger, and was not reported since
	key     string  // see notes
	due     int64   // when it is among the waits for; 0: it is not
	missing bool    // it is among the missing
	guest   bool    // it was seen last in a folder that hides others
	ghost   bool    // its name is another file's now; it may turn up under another one
	twin    *file   // another one that is known by the same inode: a hard link, or one that is gone
}

func (f *file) rel() string { return f.dir.join(f.name) }

// branch is a folder of the tree.
type branch struct {
	rel     string // relative to the root, which is ""
	up      *branch
	subs    map[string]*branch // by base name
	files   map[string]*file   // by base name
	id      identity           // zero: it was not opened, or is not there
	home    identity           // the folder that what is known was found in
	mtime   int64              // of the folder when it was listed last (ns)
	watched *watched
	deaf    bool   // the kernel gives no watch for it
	seen    uint32 // the look that saw it last
	missing bool   // it is among the missing
	hides   bool   // another mount of the same file system is in its place
}

func newBranch() *branch { return &branch{files: map[string]*file{}} }

// join is the path of a name in the folder, relative to the root.
func (b *branch) join(name string) string {
	if b.rel == "" {
		return name
	}
	return b.rel + "/" + name
}

// sub returns a folder in this one, which is made if need be.
func (b *branch) sub(name string) *branch {
	s := b.subs[name]
	if s == nil {
		if b.subs == nil {
			b.subs = map[string]*branch{}
		}
		s = &branch{rel: b.join(name), up: b, files: map[string]*file{}}
		b.subs[name] = s
	}
	return s
}

// settle takes over which folder stands there now. Another one, reached through another
// mount, may only hide what is known, or have hidden it: what is not in it is not gone.
// Other file systems are told by their numbers.
func (b *branch) settle(d identity) {
	b.hides = b.up.hides || b.home.dev == d.dev && b.home.ino != d.ino && b.home.mount != 0 && d.mount != 0 && b.home.mount != d.mount
	if !b.hides {
		b.home = d
	}
}

// each calls f for the folder and all below it. f may cut off what it is given.
func (b *branch) each(f func(*branch)) {
	f(b)
	for _, s := range b.subs {
		s.each(f)
	}
}

// empty tells whether nothing is known in the folder or below.
func (b *branch) empty() bool { return len(b.files) == 0 && len(b.subs) == 0 }

// split cuts a relative path into its folder and its base name.
func split(rel string) (dir, base string) {
	i := strings.LastIndexByte(rel, '/')
	return rel[:max(i, 0)], rel[i+1:]
}

// at finds a folder; nil when it is not known.
func (w *watch) at(rel string) *branch {
	b := w.top
	for b != nil && rel != "" {
		var name string
		name, rel, _ = strings.Cut(rel, "/")
		b = b.subs[name]
	}
	return b
}

// makeAt finds a folder, which is made with those above it if need be.
func (w *watch) makeAt(rel string) *branch {
	b := w.top
	for rel != "" {
		var name string
		name, rel, _ = strings.Cut(rel, "/")
		b = b.sub(name)
	}
	return b
}

// find returns a file by its path relative to the root; nil when it is not known.
func (w *watch) find(rel string) *file {
	dir, base := split(rel)
	if b := w.at(dir); b != nil {
		return b.files[base]
	}
	return nil
}

// link puts a file into a folder and the index.
func (w *watch) link(f *file, b *branch, name string) {
	f.dir, f.name, f.guest = b, name, b.hides
	b.files[name] = f
	w.index(f)
	w.count++
}

// unlink is the opposite of link.
func (w *watch) unlink(f *file) {
	delete(f.dir.files, f.name)
	w.unindex(f)
	f.dir = nil
	w.count--
}

// restamp gives a file another version.
func (w *watch) restamp(f *file, e entry) {
	if f.ino == e.ino {
		f.entry = e
		return
	}
	w.unindex(f)
	f.entry = e
	w.index(f)
}

func (w *watch) index(f *file) { f.twin, w.inodes[f.ino] = w.inodes[f.ino], f }

func (w *watch) unindex(f *file) {
	first := w.inodes[f.ino]
	switch {
	case first != f:
		for first.twin != f {
			first = first.twin
		}
		first.twin = f.twin
	case f.twin == nil:
		delete(w.inodes, f.ino)
	default:
		w.inodes[f.ino] = f.twin
	}
	f.twin = nil
}

// cut takes a folder that holds nothing out of the tree, and those above it that held
// nothing else.
func (w *watch) cut(b *branch) {
	for b.up != nil && b.empty() {
		w.leave(b)
		w.tellFolder(b.rel, false)
		up := b.up
		delete(up.subs, path.Base(b.rel))
		b.up = nil
		if up.id != (identity{}) {
			return // it is there
		}
		b = up
	}
}

// leave ends what is held of a folder that is not there, or not there any more.
func (w *watch) leave(b *branch) {
	w.ignore(b)
	if w.folders[b.id.ino] == b {
		delete(w.folders, b.id.ino)
	}
	b.id, b.mtime = identity{}, 0
	if w.opened.of == b {
		w.opened.close()
	}
}

// leaveAll does that for all below as well.
func (w *watch) leaveAll(b *branch) { b.each(w.leave) }

// ignore ends the hints about a folder.
func (w *watch) ignore(b *branch) {
	if b.watched != nil {
		b.watched.close()
		b.watched = nil
	}
	if b.deaf {
		b.deaf = false
		w.deaf--
	}
}

// listen asks for hints about a folder, if the mode wants any.
func (w *watch) listen(b *branch, d *folder, dir string) {
	w.ignore(b)
	if w.mode == modePoll {
		return
	}
	var err error
	if w.refused != w.look || b.up == nil { // what was refused once in a look is not asked for again
		want := w.wants()
		if !want.raw && d.network == "" && (b.up == nil || b.up.id.dev != d.dev) {
			want.raw, want.unmount = true, true
		}
		b.watched, err = w.hub.pool(d).watch(dir, user{&w.hints, b.rel}, want)
	} else {
		err = w.blind
	}
	if err != nil {
		b.deaf, w.blind, w.refused = true, err, w.look
		w.deaf++
	}
}

// wants says which descriptors are needed.
func (w *watch) wants() wanted {
	fs := w.rules.want.has(created | modified | ready | deleted)
	raw := w.rules.want.has(closed | modified | moved)
	return wanted{fs: fs, raw: raw, folders: w.recursive && !fs}
}

// unwatch ends all hints.
func (w *watch) unwatch() { w.top.each(w.ignore) }
