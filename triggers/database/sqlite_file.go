package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"syscall"
	"time"
)

// identity is which file that is.
type identity struct{ dev, ino uint64 }

// file is a SQLite file as it was found.
type file struct {
	path  string
	id    identity
	owner uint32
	size  int64
	mtime int64 // ns
	log   log
}

// log is the write-ahead log beside a file.
type log struct {
	there bool
	size  int64
	mtime int64 // ns
}

var (
	errNotDatabase = errors.New("is not a SQLite database")
	// errChanging means that somebody wrote while we read without a lock.
	errChanging = errors.New("somebody has just begun to write to the file")
	// errOrphaned means that what a program has left is not ours to tidy up.
	errOrphaned = errors.New("a program that wrote to the file has ended without closing it; it is read as soon as somebody opens it again")
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
	f := file{path: path, id: identity{st.Dev, st.Ino}, owner: st.Uid, size: info.Size(), mtime: info.ModTime().UnixNano()}
	if l, err := os.Stat(path + "-wal"); err == nil {
		f.log = log{true, l.Size(), l.ModTime().UnixNano()}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return file{}, err
	}
	return f, nil
}

// tidying is how long a writer is given that takes its log into the file: it may be the
// last one and about to remove the log, which it can't while we have the file open.
const tidying = 10 * grain

// lookAtRest is lookAt once nobody takes a log into the file, as far as can be seen.
func lookAtRest(ctx context.Context, path string) (file, error) {
	for began := time.Now(); ; {
		f, err := lookAt(path)
		if err != nil || f.log.size == 0 || !near(f.mtime, time.Now(), 2*grain) || time.Since(began) > tidying {
			return f, err
		}
		select {
		case <-ctx.Done():
			return f, context.Cause(ctx)
		case <-time.After(grain):
		}
	}
}

// isFileTrouble tells whether an error is of the path, not of what is in the file.
func isFileTrouble(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) || errors.Is(err, errNotDatabase)
}

// grain is how far apart two changes are that have different times, for sure.
const grain = 20 * time.Millisecond

// stamp changes with what is stored. What is in the log counts only once its writer has
// said so in the index, which shows in no time or size, and a disk may take long before
// that. So a change has a new stamp again whenever it is twice as old, for a while: who
// has looked too early looks again.
func (f file) stamp(now time.Time) string {
	age := min(now.Sub(time.Unix(0, f.mtime)).Abs(), now.Sub(time.Unix(0, f.log.mtime)).Abs())
	doubled := int64(min(bits.Len64(uint64(age/grain)), doublings)) //nolint:gosec // it is not negative
	if doubled == 0 {
		doubled = now.UnixNano() // another change may get the same time
	}
	return fmt.Sprint(f.id, f.size, f.mtime, f.log, doubled)
}

// doublings of grain are how long a change is looked at again: 40 s.
const doublings = 12

// young tells whether the file may have changed once more without a sign of it.
func (f file) young(now time.Time) bool {
	return near(f.mtime, now, grain) || near(f.log.mtime, now, grain)
}

// near tells whether an instant (ns) is about now.
func near(at int64, now time.Time, within time.Duration) bool {
	age := time.Duration(now.UnixNano() - at)
	return age < within && age > -within
}

// inWAL tells whether the file is in WAL mode. It must not be asked of a file that this
// process has open: closing it here drops all locks that the process holds on it.
//
// While its log is empty or not there nobody writes, and all is in the file. It is read
// as it is then, without locks, and again if somebody came meanwhile: to open it as
// usual would make files beside it, to which its writers may have no right.
func (f file) inWAL() (bool, error) {
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
	const readVersion = 19
	return head[readVersion] == 2, nil
}

// orphaned refuses a log whose index is gone when somebody else owns the file: we would
// make an index that the owner may not be able to write to.
func (f file) orphaned() error {
	if _, err := os.Stat(f.path + "-shm"); err == nil {
		return nil
	}
	if me := os.Geteuid(); me == 0 || uint32(me) == f.owner {
		return nil
	}
	return errOrphaned
}
