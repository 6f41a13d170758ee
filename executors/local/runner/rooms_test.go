package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// used makes the directory of an attempt that has ended; its logs are closed.
func used(t *testing.T, q *rooms, name string) string {
	t.Helper()
	a := newAttempt(name, filepath.Join(q.work, name))
	if err := makeRoom(a); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(a.logs[0], []byte("of "+name)); err != nil {
		t.Fatal(err)
	}
	closeLogs(a)
	return a.dir
}

func TestRooms_are_used_again_only_if_nothing_can_show(t *testing.T) {
	keepsNoDescriptor(t)
	open := func(t *testing.T, path string, flags int) int {
		t.Helper()
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		return fd
	}
	for name, c := range map[string]struct {
		again bool
		do    func(t *testing.T, dir string) error
	}{
		"plain": {true, func(*testing.T, string) error { return nil }},
		"other_files": {true, func(_ *testing.T, dir string) error {
			_ = os.MkdirAll(dir+"/a/b", 0o755)
			return os.WriteFile(dir+"/a/b/c", nil, 0)
		}},
		"exchanged_logs": {true, func(_ *testing.T, dir string) error {
			_ = os.Rename(dir+"/.stdout", dir+"/x")
			_ = os.Rename(dir+"/.stderr", dir+"/.stdout")
			return os.Rename(dir+"/x", dir+"/.stderr")
		}},
		"a_log_of_its_own": {true, func(_ *testing.T, dir string) error {
			_ = os.Rename(dir+"/.stdout", dir+"/x")
			return os.WriteFile(dir+"/.stdout", []byte("forged"), 0o644)
		}},
		"somebody_writes": {false, func(t *testing.T, dir string) error { open(t, dir+"/.stdout", unix.O_WRONLY); return nil }},
		"somebody_reads":  {false, func(t *testing.T, dir string) error { open(t, dir+"/.stderr", unix.O_RDONLY); return nil }},
		"linked":          {false, func(_ *testing.T, dir string) error { return os.Link(dir+"/.stdout", dir+"-kept") }},
		"a_link": {false, func(_ *testing.T, dir string) error {
			_ = os.Remove(dir + "/.stdout")
			return os.Symlink("/etc/passwd", dir+"/.stdout")
		}},
		"a_fifo": {false, func(_ *testing.T, dir string) error {
			_ = os.Remove(dir + "/.stdout")
			return unix.Mkfifo(dir+"/.stdout", 0o644)
		}},
		"without_a_log":  {false, func(_ *testing.T, dir string) error { return os.Remove(dir + "/.stdout") }},
		"other_rights":   {false, func(_ *testing.T, dir string) error { return os.Chmod(dir+"/.stdout", 0o666) }},
		"open_directory": {false, func(_ *testing.T, dir string) error { return os.Chmod(dir, 0o777) }},
		"attributes":     {false, func(_ *testing.T, dir string) error { return unix.Setxattr(dir, "user.x", []byte("y"), 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			q := newRooms(t.TempDir(), 1, 0, 4)
			defer q.clean()
			dir := used(t, q, "first")
			if err := c.do(t, dir); err != nil {
				t.Fatal(err)
			}
			q.leave(dir)
			if _, err := os.Lstat(dir); !os.IsNotExist(err) {
				t.Errorf("the directory is there still: %v", err)
			}
			logs, ok := q.enter(filepath.Join(q.work, "second"))
			if ok != c.again {
				t.Fatalf("used again: %v", ok)
			}
			if !ok {
				if names, _ := filepath.Glob(q.work + "/.spare*"); names != nil {
					t.Errorf("left: %v", names)
				}
				return
			}
			for i, fd := range logs {
				if _, err := unix.Write(fd, []byte{'0' + byte(i)}); err != nil {
					t.Fatal(err)
				}
				_ = unix.Close(fd)
			}
			names, err := list(filepath.Join(q.work, "second"))
			if err != nil || len(names) != 2 {
				t.Errorf("in the next attempt's directory: %v, %v", names, err)
			}
			for name, want := range map[string]string{stdoutName: "0", stderrName: "1"} {
				if b, err := os.ReadFile(filepath.Join(q.work, "second", name)); string(b) != want {
					t.Errorf("%s holds %q, %v", name, b, err)
				}
			}
		})
	}
}

// What an attempt has handed to a process that is none of its own goes on writing to
// the old log and to no other.
func TestRooms_a_log_that_was_handed_on_is_not_used_again(t *testing.T) {
	q := newRooms(t.TempDir(), 1, 0, 4)
	defer q.clean()
	a := newAttempt("a", filepath.Join(q.work, "a"))
	if err := makeRoom(a); err != nil {
		t.Fatal(err)
	}
	handed, err := unix.Dup(a.logs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(handed)
	closeLogs(a)
	q.leave(a.dir)
	if _, ok := q.enter(filepath.Join(q.work, "b")); ok {
		t.Error("it was used again")
	}
}

func TestRooms_rest_before_they_are_used_again(t *testing.T) {
	q := newRooms(t.TempDir(), 1, 2, 4)
	defer q.clean()
	for _, name := range []string{"a", "b"} {
		q.leave(used(t, q, name))
	}
	next := filepath.Join(q.work, "next")
	if _, ok := q.enter(next); ok {
		t.Fatal("one of two was used again")
	}
	q.leave(used(t, q, "c"))
	first, err := os.Stat(q.free[0])
	if err != nil {
		t.Fatal(err)
	}
	logs, ok := q.enter(next)
	if !ok {
		t.Fatal("none of three was used again")
	}
	for _, fd := range logs {
		_ = unix.Close(fd)
	}
	if got, err := os.Stat(next); err != nil || !os.SameFile(first, got) {
		t.Errorf("it is not the one that was left first: %v", err)
	}
}

func TestMountsBelow(t *testing.T) {
	info := "22 1 0:20 / / rw - ext4 /dev/x rw\n23 22 0:21 / /w/a\\040b rw - tmpfs t rw\n24 23 0:22 / /w/a\\040b/c rw - tmpfs t rw\n25 22 0:23 / /w/ab rw - tmpfs t rw\nnonsense\n"
	if got := strings.Join(mountsBelow(info, "/w/a b"), ","); got != "/w/a b,/w/a b/c" {
		t.Errorf("%q", got)
	}
	if got := mountsBelow(info, "/w/a"); got != nil {
		t.Errorf("%q", got)
	}
}
