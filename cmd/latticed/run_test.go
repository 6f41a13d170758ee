package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRun_interrupted_leaves_nothing(t *testing.T) {
	dir := shortDir(t)
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("1000.%d", os.Getpid()) // finds the processes again
	file := filepath.Join(dir, "long.yaml")
	write(t, file, fmt.Sprintf("lattice: long\nelectrons:\n  work:\n    bash: |\n      touch %s/started\n      sleep %s & sleep %s\n", dir, mark, mark))
	cmd := exec.Command(binary(t), "run", file)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "started", func() bool { return exists(filepath.Join(dir, "started")) })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("%v: %s", err, said.String())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	eventually(t, "all of its processes gone", func() bool { return !runs(t, mark) })
}

// runs tells whether a process has the word in its command line.
func runs(t *testing.T, word string) bool {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range lines {
		if line, err := os.ReadFile(name); err == nil && strings.Contains(string(line), word) {
			return true
		}
	}
	return false
}
