package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups hands out version 2 control groups, one per running attempt. Making one
// costs more than using one, so empty ones are used again, unless they were killed: on
// Linux 6.14 and later whatever is cloned into such a group is killed too.
type cgroups struct {
	dir string
	// run keeps the names of this runner's groups apart from those of one that died: a
	// group that has just become empty may still be watched for its attempt's end.
	run string

	mu   sync.Mutex
	free []*slot
	next int
}

// newCgroups finds out whether groups can be made below this process's own one, and
// whether processes in them can be started and ended.
func newCgroups(name string) (*cgroups, error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	g := &cgroups{dir: filepath.Join(own, name), run: strconv.FormatInt(time.Now().UnixNano(), 36)}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	if err := unix.Access(filepath.Join(g.dir, "cgroup.kill"), unix.W_OK); err != nil {
		_ = os.Remove(g.dir)
		return nil, fmt.Errorf("%s/cgroup.kill: %w", g.dir, err)
	}
	if err := unix.Access(filepath.Join(g.dir, "cgroup.procs"), unix.W_OK); err != nil {
		_ = os.Remove(g.dir)
		return nil, fmt.Errorf("%s/cgroup.procs: %w", g.dir, err)
	}
	if err := g.try(); err != nil {
		g.close(true)
		return nil, err
	}
	return g, nil
}

// try starts something in a group, since there are more reasons why that may not be
// possible than rights (the group above may be threaded, or its processes not ours). It
// is a program that isn't there: who is told so was started in the group.
func (g *cgroups) try() error {
	s, err := g.take()
	if err != nil {
		return err
	}
	_, err = syscall.ForkExec("/nonexistent/latticed", []string{"latticed"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: s.fd},
	})
	g.give(s)
	if !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("start a process in control group %s: %w", s.path, err)
	}
	return nil
}

// ownCgroup is the directory of this process's version 2 group, also on machines
// that have version 1 beside it.
func ownCgroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	return findCgroup(string(mounts), string(self))
}

func findCgroup(mounts, self string) (string, error) {
	rel, found := "", false
	for line := range strings.Lines(self) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			rel, found = p, true
		}
	}
	if !found {
		return "", errors.New("this process is in no control group of version 2")
	}
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f := strings.Fields(before)
		if !ok || len(f) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		root, at := f[3], f[4]
		if inside, ok := strings.CutPrefix(rel, strings.TrimSuffix(root, "/")); ok {
			return filepath.Join(at, inside), nil
		}
	}
	return "", errors.New("control groups of version 2 are not mounted")
}

// take hands out an empty group.
func (g *cgroups) take() (*slot, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n := len(g.free); n > 0; n = len(g.free) {
		s := g.free[n-1]
		g.free = g.free[:n-1]
		if s.empty() {
			return s, nil
		}
		s.close() // removed by somebody, or a process was put into it that is not ours
	}
	for {
		g.next++
		path := filepath.Join(g.dir, g.run+"-"+strconv.Itoa(g.next))
		if err := os.MkdirAll(path, 0o755); err != nil { // the folder too, if somebody removed it
			return nil, fmt.Errorf("make a control group: %w", err)
		}
		s, err := openSlot(path)
		if err != nil {
			return nil, err
		}
		if s.empty() {
			return s, nil
		}
		s.close() // left by an earlier runner; whoever watches its survivors has it
	}
}

// give takes back the group of an attempt that has ended.
func (g *cgroups) give(s *slot) {
	if s.killed.Load() {
		s.close()
		_ = os.Remove(s.path) // what lives in it keeps it; close tries again
		return
	}
	g.mu.Lock()
	g.free = append(g.free, s)
	g.mu.Unlock()
}

// close removes what is empty, of earlier runners too if the folder is this runner's alone.
func (g *cgroups) close(alone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.free {
		s.close()
	}
	g.free = nil
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return // gone already
	}
	for _, e := range entries {
		if e.IsDir() && (alone || strings.HasPrefix(e.Name(), g.run+"-")) {
			_ = os.Remove(filepath.Join(g.dir, e.Name())) // fails while something lives in it
		}
	}
	if alone {
		_ = os.Remove(g.dir)
	}
}
