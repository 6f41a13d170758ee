package store

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

// LockedError means that another process uses the state directory.
type LockedError struct {
	Dir    string
	Holder string // "process 4711 (latticed serve) since …", or empty when it did not say
}

func (e *LockedError) Error() string {
	who := e.Holder
	if who == "" {
		who = "another process"
	}
	return fmt.Sprintf("the state directory %s is in use by %s; stop that one first, or choose another --state-dir", e.Dir, who)
}

// lockPatience is how long a lock is tried: a process that was killed keeps it for a
// moment more, through a child that has not come to its exec yet.
const lockPatience = time.Second

// lockDir takes the exclusive lock of a state directory and writes into it who we are.
// The lock ends with the file, so with the process.
func lockDir(dir string, now time.Time) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = tryFor(lockPatience, func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 1024))
		f.Close()
		return nil, &LockedError{Dir: dir, Holder: strings.TrimSpace(string(holder))}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w; the state directory must be on a disk that knows locks", dir, err)
	}
	who := fmt.Sprintf("process %d (%s) since %s\n", os.Getpid(), ownName(), now.UTC().Format(time.RFC3339))
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(who), 0) // it only helps the reader of an error
	}
	return f, nil
}

// tryFor repeats take while somebody else has it.
func tryFor(patience time.Duration, take func() error) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err := take(); !errors.Is(err, unix.EWOULDBLOCK) || time.Since(began) > patience {
			return err
		}
	}
}

// ownName is the program and its sub-command, without arguments that may be private.
func ownName() string {
	name := filepath.Base(os.Args[0])
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		name += " " + os.Args[1]
	}
	return name
}
