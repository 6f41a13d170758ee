package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// restoringMark is in a state directory that is not whole yet. It is made empty, before
// the lock is tried, and says which backup goes there once the directory is known to be
// free: only what came after that may be removed.
const restoringMark = "restoring"

// NotEmptyError means that a state directory holds something already.
type NotEmptyError struct{ Dir, Name string }

func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("the directory %s is not empty (%s is there); choose another for --state-dir, or move that one away", e.Dir, e.Name)
}

// RestoringError means that a restore into a state directory was broken off, or goes on.
type RestoringError struct{ Dir, Backup string }

func (e *RestoringError) Error() string {
	from := e.Backup
	if from == "" {
		from = "DIR"
	}
	return fmt.Sprintf("a restore into %s is not done; if it was broken off, run it again: latticed restore %s --state-dir %s", e.Dir, from, e.Dir)
}

// Restoring tells whether a restore into a directory was not finished (*RestoringError).
func Restoring(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, restoringMark))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return &RestoringError{Dir: dir, Backup: strings.TrimSpace(string(text))}
}

// restored refuses a directory that is being restored. The caller has its lock.
func restored(dir string) error {
	err := Restoring(dir)
	var half *RestoringError
	if !errors.As(err, &half) || half.Backup != "" {
		return err
	}
	// Nothing was copied yet. If there is a database it was here before, and in use.
	if _, gone := os.Stat(filepath.Join(dir, databaseName)); gone != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, restoringMark))
}

// target is the state directory that a path means; it looks whether it may become one.
func target(to string) (string, error) {
	to, err := filepath.Abs(to)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(to)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		behind, err := filepath.EvalSymlinks(to)
		if err != nil {
			return "", fmt.Errorf("%s is a link to what is not there: %w", to, err)
		}
		to = behind
	}
	there := to
	for _, err := os.Stat(there); errors.Is(err, fs.ErrNotExist) && there != filepath.Dir(there); _, err = os.Stat(there) {
		there = filepath.Dir(there)
	}
	if err := checkFilesystem(there, filesystemKind); err != nil {
		return "", err
	}
	return to, vacant(to)
}

// site is a state directory that nobody else can use while it is being restored.
type site struct {
	dir  string
	made bool // by us
	lock *os.File
}

// aside is where a state directory is before it is one, and after it was one in vain.
func aside(dir string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".restoring")
}

// claim makes the directory, or takes one that is empty. It has the mark from its first
// moment on, and from that of the first change.
func claim(from, dir string) (*site, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return claimNew(from, dir)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	mark := filepath.Join(dir, restoringMark)
	f, err := os.OpenFile(mark, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	ours := err == nil
	if ours {
		err = f.Close()
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	c := &site{dir: dir}
	if err == nil {
		c.lock, err = lockDir(dir, time.Now())
	}
	if err == nil {
		err = errors.Join(vacant(dir), writeMark(dir, from))
	}
	if err == nil {
		return c, nil
	}
	if c.lock != nil {
		err = errors.Join(err, c.lock.Close())
	}
	if ours {
		err = errors.Join(err, os.Remove(mark))
	}
	return nil, err
}

// claimNew makes the directory elsewhere, and gives it its name with the mark in it.
func claimNew(from, dir string) (*site, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	at := aside(dir)
	if err := os.Mkdir(at, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w; make %s yourself if only that may be written", err, dir)
	}
	lock, err := lockDir(at, time.Now())
	if err != nil {
		return nil, err
	}
	err = errors.Join(vacant(at), writeMark(at, from), syncDir(at))
	if err == nil {
		err = renameNew(at, dir)
	}
	if err == nil {
		err = syncDir(filepath.Dir(dir))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &site{dir: dir, made: true, lock: lock}, nil
}

// writeMark makes what is in the directory from now on something that may be removed.
func writeMark(dir, from string) error {
	mark := filepath.Join(dir, restoringMark)
	return errors.Join(os.WriteFile(mark, []byte(from+"\n"), 0o600), syncFile(mark), syncDir(dir))
}

// renameNew renames, never over something.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS): // a file system that can't say it
		return os.Rename(from, to) // of a folder, over an empty one at most
	case err != nil:
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// abandon removes what was restored, the mark last.
func (c *site) abandon() error {
	if c.made {
		at := aside(c.dir)
		if err := renameNew(c.dir, at); err != nil {
			return errors.Join(err, c.lock.Close())
		}
		err := clearRestored(at)
		if err == nil {
			err = os.RemoveAll(at)
		}
		return errors.Join(err, c.lock.Close())
	}
	err := clearRestored(c.dir)
	if err == nil {
		err = os.Remove(filepath.Join(c.dir, restoringMark))
	}
	return errors.Join(err, syncDir(c.dir), c.lock.Close())
}

// notOurs are names of what others make in a state directory: the runner's folder, and
// that of a file system.
func notOurs(name string) bool { return name == "work" || name == "lost+found" }

// vacant refuses a directory with something in it. Only what a restore that was broken off
// has copied may be there.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var half *RestoringError
	if err := Restoring(dir); err != nil && !errors.As(err, &half) {
		return err
	}
	broken := half != nil && half.Backup != ""
	for _, e := range entries {
		switch name := e.Name(); name {
		case "lock", restoringMark, "lost+found":
		case "assets":
			if !broken {
				err = nothingIn(dir, name)
			}
		case "uploads", "incoming":
			err = nothingIn(dir, name)
		case "work":
			err = nothingIn(dir, name, ".") // what the runner has for itself
		default:
			if !broken || !strings.HasPrefix(name, databaseName) {
				err = &NotEmptyError{dir, name}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nothingIn refuses a folder with something in it, also where a link leads, but for names
// that begin with except.
func nothingIn(dir, name string, except ...string) error {
	inner, err := os.ReadDir(filepath.Join(dir, name))
	for _, e := range inner {
		if len(except) == 0 || !strings.HasPrefix(e.Name(), except[0]) {
			return &NotEmptyError{dir, filepath.Join(name, e.Name())}
		}
	}
	return err
}

// clearRestored removes what a restore has copied; vacant has looked before.
func clearRestored(dir string) error {
	return errors.Join(removeNamed(dir, databaseName), removeNamed(filepath.Join(dir, "assets"), ""))
}

// removeNamed removes what is in a folder and has a name that begins so.
func removeNamed(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
