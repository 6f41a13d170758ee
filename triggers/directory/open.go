package directory

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// identity tells folders apart, as far as this process can tell.
type identity struct {
	dev   uint64
	ino   uint64
	mount uint64 // which mount it was reached through; 0: unknown
}

// folder is an open folder.
type folder struct {
	file *os.File
	identity
	mtime   int64  // ns
	network string // the type of a network file system, or empty
}

func (d *folder) close() { d.file.Close() }

// same tells whether o is the same folder.
func (d *folder) same(o *folder) bool { return d.identity == o.identity }

// openFolder opens dir for reading. Opening anything else, such as a pipe, could wait
// for ever.
func openFolder(dir string) (*folder, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOTDIR) {
		if _, there := os.Stat(dir); there == nil {
			return nil, &notFolderError{dir}
		}
	}
	if err != nil {
		return nil, err
	}
	return identify(f)
}

// openBelow opens a folder below the root without following a link anywhere. base is
// free of links.
func openBelow(dir string) (*folder, error) {
	f, err := openStrictly(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return identify(f)
}

// openStrictly opens a path in which nothing may be a link.
func openStrictly(name string, flags int) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC), Resolve: unix.RESOLVE_NO_SYMLINKS}
	for {
		fd, err := unix.Openat2(unix.AT_FDCWD, name, &how)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), name), nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
			// An old kernel, or a container that does not know the call: the last
			// name at least is not followed.
			return os.OpenFile(name, flags|unix.O_NOFOLLOW, 0)
		default:
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// identify takes over an open folder, which it closes when it fails.
func identify(f *os.File) (*folder, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	d := &folder{file: f, mtime: st.Mtim.Nano()}
	d.dev, d.ino = uint64(st.Dev), st.Ino //nolint:unconvert // Dev is 32 bits wide elsewhere
	var sx unix.Statx_t
	if unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &sx) == nil && sx.Mask&unix.STATX_MNT_ID != 0 {
		d.mount = sx.Mnt_id
	}
	var sf unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &sf) == nil {
		d.network = networkType(int64(sf.Type)) //nolint:unconvert // 32 bits wide elsewhere
	}
	return d, nil
}

// handle is the folder whose files were asked for last; it is kept open for a moment
// only, lest it keep a file system from being unmounted.
type handle struct {
	of   *branch
	file *os.File
	dev  uint64
	kept bool // somebody else closes it
}

func (h *handle) close() {
	if h.file != nil && !h.kept {
		h.file.Close()
	}
	*h = handle{}
}

// errReplaced means that another folder stands where one was.
var errReplaced = errors.New("another folder is in its place")

// lstat looks at a name in a folder. The folder may be gone: then the name is, too.
func (w *watch) lstat(b *branch, name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	if b.up == nil && b != w.top {
		return st, unix.ENOENT // it was cut off
	}
	if w.opened.of != b {
		w.opened.close()
		if b == w.top {
			err := unix.Lstat(w.real+"/"+name, &st)
			return st, err
		}
		if b.missing && b.id == (identity{}) {
			return st, unix.ENOENT
		}
		if err := w.open(b); err != nil {
			return st, err
		}
	}
	for {
		err := unix.Fstatat(int(w.opened.file.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if !errors.Is(err, unix.EINTR) {
			return st, err
		}
	}
}

// open makes a folder the one whose files are asked for.
func (w *watch) open(b *branch) error {
	f, err := openStrictly(w.real+"/"+b.rel, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			return unix.ENOENT // something else stands there
		}
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return err
	}
	if b.id != (identity{}) && (b.id.ino != st.Ino || b.id.dev != uint64(st.Dev)) { //nolint:unconvert // 32 bits wide elsewhere
		f.Close()
		return errReplaced
	}
	w.opened = handle{of: b, file: f, dev: uint64(st.Dev)} //nolint:unconvert // 32 bits wide elsewhere
	return nil
}

// readStrictly reads up to limit bytes of a regular file below a folder; no part of
// the path is followed as a link.
func readStrictly(dir, rel string, limit int64) ([]byte, error) {
	f, err := openStrictly(dir+"/"+rel, unix.O_RDONLY|unix.O_NONBLOCK) // a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

var errNotRegular = errors.New("it is not a regular file")
