// Package directory is the trigger kind that watches a folder, a tree of folders, or a
// single file.
//
// Hints wake, truth decides. Two descriptors of the process, shared by all triggers on
// local file systems, say that something may have happened: a raw inotify descriptor for
// close-write and moves, and fsnotify for the rest. A hint only makes the source look at
// a name earlier; what it reports is the difference between the stored inventory and
// what lstat says. A look at everything finds what no hint told of: files that came while
// the daemon was down, after an overflow of the kernel's queue, in a folder that was
// removed and created again, or written by another host. In between, where hints
// arrive, a glance at the folders alone finds cheaply that one is not the same.
//
//	hint or timer ─► lstat ─► judge (pure) ─► Emit(events + entities)
//	                             └─► assembler (pure) ─► Emit(events about units)
//
// The version of a file is (dev, inode, size, mtime, ctime); there is one event for
// each (path, kind, version). A change of ctime alone (chmod, a new hard link) or of
// dev alone (a remount) is not news; on network file systems neither is the inode,
// which they may invent anew at each mount. What is known under one name and found
// under another (by the kernel's cookie, or the same inode, size and mtime) was moved:
// it goes on as what it was, and is not reported again. So does a unit whose folder is
// not there any more while most of its files are in another one.
//
// In a tree, each folder is watched and then listed, so that nothing happens unseen
// between the two; what is found twice is told once. A scan lists all folders it is
// about before it says what is missing, and what is missing counts as gone only after a
// moment, for it may turn up elsewhere.
//
//	seen ─► settling ─► quiet: reported ─► changed: settling …
//	 └─────────┴───────────┴─► missing ─► gone: deleted
//	                              └─► found under another name: moved
//
// Only regular files count, and symbolic links are not followed; dir_path itself may
// lead through some, as far as Options.Roots allows. A missing, unreadable or unmounted
// folder is a state that people see, not an empty folder: its inventory is kept. Below
// the root the device number tells: what was on another file system than the folder
// that it is missing from may only be unmounted.
//
// Names are bytes. A path that is not valid UTF-8 can't be text in JSON: such an event
// has path_b64 (the exact bytes) instead of the fields that would hold invalid text.
// An expression that needs one of those makes the firing rejected, with the reason,
// rather than run on a path that does not exist.
//
// Goroutines: the manager's, in Run, while there is something to do; a trigger that
// waits for hints has none. Two more for the shared descriptors, and two for each
// network file system, owned by the hub: they start with the first watch and have ended
// with the last. They do nothing but sort hints into maps. What is asked beside Run (at
// registration, for a preview, an explanation or a backfill) is asked by a goroutine
// that is left behind when a file server does not answer.
package directory
