package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// appear gives a file its name, never one that is taken.
func appear(root *os.Root, tmp, name string) error {
	err := root.Link(tmp, name)
	if !noLink(err) {
		return err
	}
	err = renameIn(root, tmp, name)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// Nothing but an empty file keeps the name free there; one that watches may see it.
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), root.Rename(tmp, name)); err != nil { // over our own
		return errors.Join(err, root.Remove(name))
	}
	return nil
}

// renameIn renames, never over something.
func renameIn(root *os.Root, old, name string) error {
	from, err := root.Open(path.Dir(old))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer to.Close()
	err = unix.Renameat2(int(from.Fd()), path.Base(old), int(to.Fd()), path.Base(name), unix.RENAME_NOREPLACE)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: name, Err: err}
	}
	return nil
}

// noLink tells that a file can't have a second name there: incoming may be another disk,
// or of a kind that knows no such thing.
func noLink(err error) bool {
	for _, e := range []error{unix.EXDEV, unix.EPERM, unix.EMLINK, unix.EOPNOTSUPP, unix.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// copyInto writes a new file that everybody may read, and makes its bytes durable.
func copyInto(root *os.Root, name string, from io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
}

// makeParents makes the folders of a file, each durable in the one before.
func makeParents(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	err := root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeParents(root, path.Dir(dir)); err != nil {
			return err
		}
		err = root.Mkdir(dir, 0o755)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	if err := root.Chmod(dir, 0o755); err != nil { // whatever our umask is
		return err
	}
	return syncBelow(root, path.Dir(dir))
}

func syncBelow(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
