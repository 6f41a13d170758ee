package runner

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// slot is a control group while an attempt has it.
type slot struct {
	path   string
	fd     int // of the directory, for clone
	events int // cgroup.events
	killed atomic.Bool
}

func openSlot(path string) (*slot, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open control group %s: %w", path, err)
	}
	events, err := unix.Open(filepath.Join(path, "cgroup.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open control group %s: %w", path, err)
	}
	return &slot{path: path, fd: fd, events: events}, nil
}

func (s *slot) close() {
	_ = unix.Close(s.fd)
	_ = unix.Close(s.events)
}

// populated tells whether a process lives in the group or in one below it. In a group
// that was removed nothing can live.
func (s *slot) populated() bool {
	ok, err := s.read()
	return err == nil && !ok
}

// empty tells whether the group is there and nothing lives in it.
func (s *slot) empty() bool {
	ok, err := s.read()
	return err == nil && ok
}

func (s *slot) read() (empty bool, err error) {
	var buf [128]byte
	n, err := unix.Pread(s.events, buf[:], 0)
	return bytes.Contains(buf[:max(n, 0)], []byte("populated 0")), err
}

// settled waits a moment for the group to become empty: an exiting process leaves
// its group a little after its parent may reap it.
func (s *slot) settled() bool {
	for wait := 20 * time.Microsecond; wait < 3*time.Millisecond; wait *= 2 {
		if !s.populated() {
			return true
		}
		time.Sleep(wait)
	}
	return !s.populated()
}

// kill ends everything in the group at once. Nothing new may be started in it.
func (s *slot) kill() error {
	s.killed.Store(true)
	return os.WriteFile(filepath.Join(s.path, "cgroup.kill"), []byte("1"), 0)
}

// pids lists the processes in the group and in those below it.
func (s *slot) pids() []int { return groupPids(s.path) }

func groupPids(path string) []int {
	var out []int
	b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
	if err != nil {
		return nil
	}
	for f := range bytes.FieldsSeq(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil && pid > 0 {
			out = append(out, pid)
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return out
	}
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, groupPids(filepath.Join(path, e.Name()))...)
		}
	}
	return out
}
