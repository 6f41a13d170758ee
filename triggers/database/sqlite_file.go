package database

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// identity is which file that is.
type identity struct{ dev, ino uint64 }

// file is a file as it was found.
type file struct {
	id    identity
	size  int64
	mtime int64 // ns
	path  string
}

var (
	errNotDatabase = errors.New("is not a SQLite database")
	// errChanging means that somebody wrote while we read without a lock.
	errChanging = errors.New("somebody has just opened the file to write")
)

func lookAt(path string) (file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return file{}, err
	}
	if !info.Mode().IsRegular() {
		return file{}, fmt.Errorf("%s %w: it is no file", path, errNotDatabase)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return file{}, fmt.Errorf("%s: this system does not tell which file that is", path)
	}
	return file{id: identity{uint64(st.Dev), st.Ino}, size: info.Size(), mtime: info.ModTime().UnixNano(), path: path}, nil
}

// isFileTrouble tells whether an error is of the path, not of what is in the file.
func isFileTrouble(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) || errors.Is(err, errNotDatabase)
}

// journals tells whether somebody writes through a write-ahead log beside the file, or
// has left one.
func (f file) journals() bool {
	_, err := os.Stat(f.path + "-wal")
	return err == nil
}

// alone tells whether the file is in WAL mode and nobody has it open. To open it as
// usual would create files beside it that its writers may have no right to; nothing is
// in a log, so it is read as it is, and again if somebody came meanwhile.
//
// It must not be asked of a file that this process has open: closing it here drops
// all locks that the process holds on it.
func (f file) alone() (bool, error) {
	r, err := os.Open(f.path)
	if err != nil {
		return false, err
	}
	defer func() { _ = r.Close() }()
	var head [20]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if f.size == 0 {
			return false, nil // a database without tables
		}
		return false, fmt.Errorf("%s %w", f.path, errNotDatabase)
	}
	if string(head[:16]) != "SQLite format 3\x00" {
		return false, fmt.Errorf("%s %w", f.path, errNotDatabase)
	}
	const readByWAL = 19
	return head[readByWAL] == 2 && !f.journals(), nil
}
