package runner

import (
	"os"
	"path/filepath"
	"testing"
)

func TestListen_makes_no_runtime_directory_again_that_was_removed(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "run")
	o := &Options{StateDir: t.TempDir(), RuntimeDir: gone, Protocol: 1}
	if l, err := o.listen(); err == nil {
		l.Close()
		t.Error("it listens")
	}
	if _, err := os.Stat(gone); !os.IsNotExist(err) {
		t.Errorf("it is there again: %v", err)
	}
}
