package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childRestore names the state directory that a child restores into until it is killed.
const childRestore = "LATTICED_STORE_TEST_RESTORE"

func restoreMain(from, to string) int {
	if _, err := Restore(context.Background(), from, to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// killedRestore restores in a process that is killed once when says so.
func killedRestore(t *testing.T, from, to string, when func() bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRestore+"="+to, childDir+"_FROM="+from)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("%v: %s", err, said.String())
			}
			return
		default:
		}
		if when() {
			_ = cmd.Process.Kill()
			<-done
			return
		}
	}
}

// thingsIn counts what is in a folder and in those in it.
func thingsIn(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(string, fs.DirEntry, error) error {
		n++
		return nil
	})
	return n
}

const manyDispatches = 15

// manyAssets is a backup that takes a moment to restore.
func manyAssets(t *testing.T) string {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	for i := range manyDispatches {
		withAssets(t, s, l, fmt.Sprint(i))
	}
	return backedUp(t, s)
}

// However a restore is killed, what it leaves is as before, or refused, or whole; and the
// next one makes it whole.
func TestRestore_killed_at_any_moment_is_refused_or_whole(t *testing.T) {
	from := manyAssets(t)
	for name, prepare := range map[string]func(string) error{
		"a new directory": func(string) error { return nil },
		"an empty one":    func(to string) error { return os.Mkdir(to, 0o711) },
		"what a package and a disk make": func(to string) error {
			return errors.Join(os.Mkdir(to, 0o711), os.Mkdir(filepath.Join(to, "work"), 0o750), os.Mkdir(filepath.Join(to, "lost+found"), 0o700))
		},
		"behind a link": func(to string) error {
			return errors.Join(os.Mkdir(to+".disk", 0o711), os.Symlink(to+".disk", to))
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]int{}
			for i := range 14 {
				to := filepath.Join(t.TempDir(), "state")
				if err := prepare(to); err != nil {
					t.Fatal(err)
				}
				before := thingsIn(to + "/")
				switch {
				case i < 8: // at its first steps
					killedRestore(t, from, to, func() bool { return thingsIn(to+"/") > before+i/2 })
				default:
					end := time.Now().Add(time.Duration(rand.IntN(300)) * time.Millisecond)
					killedRestore(t, from, to, func() bool { return time.Now().After(end) })
				}
				what := leftBy(t, to, before)
				if seen[what]++; what == "whole" {
					continue
				}
				must(Restore(t.Context(), from, to))(t)
				if what := leftBy(t, to, before); what != "whole" {
					t.Errorf("restored again: %s", what)
				}
				if left, _ := filepath.Glob(filepath.Join(filepath.Dir(to), ".*")); len(left) > 0 {
					t.Errorf("beside it is %v", left)
				}
			}
			if seen["refused"] < 4 {
				t.Errorf("it was killed at the wrong moments: %v", seen)
			}
			t.Logf("%v", seen)
		})
	}
}

// leftBy tells what a restore has left.
func leftBy(t *testing.T, to string, before int) string {
	t.Helper()
	if thingsIn(to+"/") <= before {
		return "as before"
	}
	s, err := Open(t.Context(), to, Options{})
	if half := new(RestoringError); errors.As(err, &half) {
		if half.Dir == "" || !strings.Contains(err.Error(), "latticed restore") {
			t.Errorf("%v", err)
		}
		return "refused"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, held, err := s.Held(t.Context())
	files := filesOf(t, s)
	if err != nil || !held || rows(t, s, "dispatches") != manyDispatches || len(files) != manyDispatches+1 {
		t.Errorf("it opens as another one: held %v, %v, %d files", held, err, len(files))
	}
	return "whole"
}

func TestRestore_target(t *testing.T) {
	from := manyAssets(t)
	nothing := func(t *testing.T, dir string) {
		t.Helper()
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("left in %s: %v, %v", dir, entries, err)
		}
	}
	refused := func(t *testing.T, to, want string) {
		t.Helper()
		if _, err := Restore(t.Context(), from, to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}

	t.Run("a file", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(to, []byte("thesis"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, to, "not a directory")
	})
	t.Run("a link to nowhere", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "state")); err != nil {
			t.Fatal(err)
		}
		refused(t, filepath.Join(dir, "state"), "a link to what is not there")
	})
	t.Run("below folders that are not there", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "a", "b[1]*", "state")
		must(Restore(t.Context(), from, to))(t)
		if what := leftBy(t, to, 0); what != "whole" {
			t.Error(what)
		}
	})
	t.Run("a directory in use stays as it is", func(t *testing.T) {
		s := openNew(t)
		refused(t, s.dir, "is not empty")
		lock, err := lockDir(t.TempDir(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		dir := filepath.Dir(lock.Name())
		refused(t, dir, "in use by process")
		if thingsIn(dir) != 2 {
			t.Error("something was left beside the lock")
		}
	})
	t.Run("a daemon that was faster than the first step goes on", func(t *testing.T) {
		s := openNew(t)
		if err := os.WriteFile(filepath.Join(s.dir, restoringMark), nil, 0o600); err != nil { // and it was killed there
			t.Fatal(err)
		}
		refused(t, s.dir, "is not empty")
		s = reopen(t, s)
		if _, err := os.Stat(filepath.Join(s.dir, restoringMark)); !errors.Is(err, fs.ErrNotExist) {
			t.Error("the mark is there still", err)
		}
	})
	t.Run("work of attempts that are there", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "state")
		if err := os.MkdirAll(filepath.Join(to, "work", id(t)), 0o755); err != nil {
			t.Fatal(err)
		}
		refused(t, to, "is not empty (work/")
	})
	for limit, what := range map[string]string{"size=64m": "without space", "nr_inodes=12": "that is full before the end"} {
		t.Run("a disk "+what+" keeps nothing", func(t *testing.T) {
			asRoot(t)
			to := t.TempDir()
			if err := unix.Mount("lab", to, "tmpfs", 0, limit); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
			if _, err := Restore(t.Context(), from, to); !errors.Is(err, ErrDiskFull) {
				t.Errorf("%v", err)
			}
			if left := plainIn(to); len(left) != 1 || left[0] != "lock" {
				t.Errorf("left is %v", left)
			}
		})
	}
	t.Run("an end of the caller leaves nothing", func(t *testing.T) {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Restore(ctx, from, filepath.Join(dir, "state")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		nothing(t, dir)
	})
}

// plainIn lists the plain files below a folder.
func plainIn(dir string) (names []string) {
	_ = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, filepath.Base(name))
		}
		return nil
	})
	slices.Sort(names)
	return names
}

// asRoot lets only root go on, who mounts and gives files away.
func asRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Getuid() == 0:
	case os.Getenv("CI") != "":
		t.Fatal("this takes root")
	default:
		t.Skip("this takes root")
	}
}

// Root restores for the user of the daemon, to whom all of it belongs then, also behind a
// link; what others have made there stays theirs.
func TestRestore_by_root_is_given_to_the_owner(t *testing.T) {
	asRoot(t)
	from, disk := manyAssets(t), t.TempDir()
	const nobody = 65534
	work := filepath.Join(disk, "work")
	if err := errors.Join(os.Chown(disk, nobody, nobody), os.Mkdir(work, 0o750)); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "state")
	if err := os.Symlink(disk, to); err != nil {
		t.Fatal(err)
	}
	must(Restore(t.Context(), from, to))(t)
	err := filepath.WalkDir(disk, func(name string, _ fs.DirEntry, err error) error {
		uid, _, e := owner(name)
		if want := map[bool]int{true: 0, false: nobody}[name == work]; uid != want {
			t.Errorf("%s belongs to %d, want %d", name, uid, want)
		}
		return errors.Join(err, e)
	})
	if err != nil {
		t.Error(err)
	}
}
