package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/latticed/latticed/executors/executortest"
	"github.com/latticed/latticed/triggers/database/dbtest"
)

// root holds everything that the tests of this package write; its path is short, since
// sockets live in it. Whatever they start names it.
var root = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("/tmp", "lt")
	if err != nil {
		panic(err)
	}
	return dir
})

// program builds the real binary once, for the tests that start it.
var program = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(root(), "bin", "latticed")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
})

func binary(t *testing.T) string {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestMain(m *testing.M) {
	code := dbtest.Main(m).Run()
	if err := nothingLeft(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// nothingLeft looks for processes that a test has started and not ended, and ends them.
func nothingLeft() error {
	left, err := executortest.Processes(root())
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("the tests have left processes behind: %v", left)
	}
	return errors.Join(err, executortest.End(root()), os.RemoveAll(root()))
}

// shortDir is a folder whose path leaves room for the name of a socket. What runs in
// it when the test is over, is ended: the runners and electrons of killed daemons.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, tidy, err := newDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tidy(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func newDir() (dir string, tidy func() error, err error) {
	dir, err = os.MkdirTemp(root(), "")
	return dir, func() error { return errors.Join(executortest.End(dir), os.RemoveAll(dir)) }, err
}
