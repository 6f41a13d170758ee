package executortest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is one that a test has started, or that what it started has.
type Process struct {
	PID     int
	Command string
}

// Processes lists what belongs to a directory of a test: whatever runs below it, or
// names it in its command line or its environment. Zombies don't count: whether they
// are reaped is up to their parent.
func Processes(dir string) ([]Process, error) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err != nil || pid == os.Getpid() {
			continue
		}
		// What can't be read has ended meanwhile, or is somebody else's.
		line, _ := os.ReadFile(entry + "/cmdline")
		env, _ := os.ReadFile(entry + "/environ")
		cwd, _ := os.Readlink(entry + "/cwd")
		if names(string(line)+"\n"+string(env)+"\n"+cwd, dir) {
			found = append(found, Process{PID: pid, Command: strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))})
		}
	}
	return found, nil
}

// names tells whether a text holds the path of dir, or of something below it.
func names(text, dir string) bool {
	for {
		_, after, found := strings.Cut(text, dir)
		if !found {
			return false
		}
		if after == "" || !strings.ContainsAny(after[:1], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") {
			return true
		}
		text = after
	}
}

// endLimit is how long killed processes may take to go.
const endLimit = time.Minute

// End kills the processes of a directory, and what they start meanwhile, until there
// are none.
func End(dir string) error {
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		left, err := Processes(dir)
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Since(begun) > endLimit {
			return fmt.Errorf("processes of %s can't be ended: %v", dir, left)
		}
		for _, p := range left {
			_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may have gone by itself
		}
	}
}
