package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// LockedError means that another process has the spool.
type LockedError struct{ Dir, Holder string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("the spool %s is in use by %s; stop that one first, or choose another --spool", e.Dir, e.Holder)
}

// OwnerError means that a spool keeps the events of another trigger.
type OwnerError struct{ Owner, Wanted string }

func (e *OwnerError) Error() string {
	return fmt.Sprintf("it keeps what is for %s, not for %s; choose another --spool", e.Owner, e.Wanted)
}

// lockPatience is how long a lock is tried: a process that was killed keeps it for a
// moment more.
const lockPatience = time.Second

// take locks a spool; the lock ends with the file, so with the process.
func take(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Since(began) > lockPatience {
			break
		}
	}
	if err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 1024))
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w; the spool must be on a disk that knows locks", dir, err)
		}
		return nil, &LockedError{Dir: dir, Holder: strings.TrimSpace(string(holder))}
	}
	who := fmt.Sprintf("process %d since %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(who), 0) // it only helps the reader of an error
	}
	return f, nil
}

// Busy tells whether a process has the spool.
func Busy(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
