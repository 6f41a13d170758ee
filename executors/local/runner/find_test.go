package runner

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	line := "42 (a (strange) name) S 7 40 41 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 2 3"
	p, err := parseStat(42, []byte(line))
	want := process{pid: 42, ppid: 7, pgrp: 40, session: 41, start: 12345, state: 'S'}
	if err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"", "42", "42 (x) S", strings.Replace(line, " 7 ", " seven ", 1)} {
		if _, err := parseStat(42, []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (x) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = parseStat(1, b) })
}

func TestTree_members(t *testing.T) {
	never := func(int) bool { return false }
	base := []process{
		{pid: 1, start: 1, state: 'S'},
		{pid: 10, ppid: 1, start: 5, state: 'S'},                            // the runner
		{pid: 20, ppid: 10, pgrp: 20, session: 20, start: 100, state: 'S'},  // main
		{pid: 21, ppid: 20, pgrp: 20, session: 20, start: 101, state: 'S'},  // a child
		{pid: 22, ppid: 21, pgrp: 22, session: 22, start: 102, state: 'S'},  // in a session of its own
		{pid: 23, ppid: 22, pgrp: 22, session: 22, start: 103, state: 'Z'},  // dead
		{pid: 30, ppid: 10, pgrp: 30, session: 30, start: 90, state: 'S'},   // another attempt
		{pid: 40, ppid: 10, pgrp: 40, session: 40, start: 104, state: 'S'},  // an orphan with the tag
		{pid: 50, ppid: 999, pgrp: 50, session: 50, start: 105, state: 'S'}, // somebody else
	}
	pids := func(ps []process) []int {
		var out []int
		for _, p := range ps {
			out = append(out, p.pid)
		}
		slices.Sort(out)
		return out
	}
	tr := &tree{main: 20, from: 100, to: 100, self: 10}
	if got := pids(tr.pick(base, func(pid int) bool { return pid == 40 })); !reflect.DeepEqual(got, []int{20, 21, 22, 40}) {
		t.Errorf("members %v", got)
	}
	// The parents die; what was seen is still known.
	after := []process{base[0], base[1], {pid: 22, ppid: 10, pgrp: 22, session: 22, start: 102, state: 'S'}, base[6]}
	if got := pids(tr.pick(after, never)); !reflect.DeepEqual(got, []int{22}) {
		t.Errorf("members after their parents' death %v", got)
	}
	// A pid that came back is somebody else's.
	recycled := []process{base[0], base[1], {pid: 22, ppid: 1, pgrp: 22, session: 22, start: 900, state: 'S'}, {pid: 20, ppid: 1, pgrp: 20, session: 20, start: 901, state: 'S'}}
	if got := pids(tr.pick(recycled, never)); len(got) != 0 {
		t.Errorf("strangers %v", got)
	}
}

// The first look comes after the main process was reaped: its session is still its own.
func TestTree_members_of_a_session_whose_leader_is_gone(t *testing.T) {
	never := func(int) bool { return false }
	left := process{pid: 21, ppid: 10, pgrp: 20, session: 20, start: 101, state: 'S'}
	stranger := process{pid: 20, ppid: 1, pgrp: 20, session: 20, start: 900, state: 'S'}
	for name, c := range map[string]struct {
		child bool
		table []process
		want  int
	}{
		"a_child":               {true, []process{left}, 1},
		"long_gone":             {false, []process{left}, 0},
		"its_pid_was_given_out": {true, []process{left, stranger}, 0},
	} {
		tr := &tree{main: 20, from: 100, to: 100, self: 10, child: c.child}
		if got := tr.pick(c.table, never); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFindCgroup(t *testing.T) {
	hybrid := "30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n32 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	for name, c := range map[string]struct{ mounts, self, want string }{
		"hybrid":      {hybrid, "4:memory:/x\n0::/\n", "/sys/fs/cgroup/unified"},
		"unified":     {"31 30 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/system.slice/a.service\n", "/sys/fs/cgroup/system.slice/a.service"},
		"in_a_part":   {"31 30 0:27 /box /cg rw - cgroup2 cgroup2 rw\n", "0::/box/in\n", "/cg/in"},
		"none":        {"30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", "0::/\n", ""},
		"only_first":  {hybrid, "4:memory:/x\n", ""},
		"out_of_part": {"31 30 0:27 /box /cg rw - cgroup2 cgroup2 rw\n", "0::/other\n", ""},
	} {
		got, err := findCgroup(c.mounts, c.self)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a/tool": 0o755, "b/tool": 0o755, "a/plain": 0o644} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "a", "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := dir + "/none:" + dir + "/a:" + dir + "/b"
	for _, c := range []struct{ name, path, want, code string }{
		{"tool", path, dir + "/a/tool", ""},
		{"tool", "b:a", dir + "/b/tool", ""}, // seen from the working directory
		{"./x", path, "./x", ""},
		{"plain", path, "", CodeNotExecutable},
		{"dir", path, "", CodeCommandNotFound},
		{"absent", path, "", CodeCommandNotFound},
		{"", path, "", CodeCommandNotFound},
	} {
		got, err := lookPath(c.name, c.path, dir)
		r, _ := errors.AsType[*refusal](err)
		if got != c.want || (r == nil) != (c.code == "") || r != nil && (r.code != c.code || !r.permanent) {
			t.Errorf("%q on %s: %q, %v", c.name, c.path, got, err)
		}
	}
}

func TestMergeEnv(t *testing.T) {
	base := []string{"PATH=/bin", "HOME=/h", "LANG=C"}
	got := mergeEnv(base, []string{"LANG=de", "X=1=2", "PATHS=p"}, []string{"HOME"})
	if want := []string{"PATH=/bin", "LANG=de", "X=1=2", "PATHS=p"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if v := lookupEnv(got, "X"); v != "1=2" {
		t.Errorf("X is %q", v)
	}
}

func TestOptions_survive_the_command_line(t *testing.T) {
	o := Options{
		StateDir: "/s d", RuntimeDir: "/r", Socket: "/k", UID: 7, GID: 8, Idle: time.Second, LogKeep: 1, LogMax: 2,
		KeepDirs: time.Hour, NoCgroup: true, Protocol: 3, Detach: true,
	}
	got, err := ParseArgs(o.Args(), io.Discard)
	if err != nil || got != o {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range [][]string{{"--nonsense"}, {"--state-dir=/x", "more"}, {}} {
		t.Setenv("STATE_DIRECTORY", "")
		if _, err := ParseArgs(bad, io.Discard); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestSocketPath(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	one, err := (&Options{StateDir: dir, RuntimeDir: "/run/x"}).SocketPath(1)
	if err != nil {
		t.Fatal(err)
	}
	same, _ := (&Options{StateDir: link, RuntimeDir: "/run/x"}).SocketPath(1)
	next, _ := (&Options{StateDir: dir, RuntimeDir: "/run/x"}).SocketPath(2)
	other, _ := (&Options{StateDir: "/other", RuntimeDir: "/run/x"}).SocketPath(1)
	if one != same || one == next || one == other || len(one) > 60 {
		t.Errorf("%s %s %s %s", one, same, next, other)
	}
	if _, err := (&Options{StateDir: dir, RuntimeDir: "/" + strings.Repeat("x", 100)}).SocketPath(1); err == nil {
		t.Error("a path too long for a socket was accepted")
	}
}

func TestRuntimeDir(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "/run/a:/run/b")
	if d, err := RuntimeDir(); d != "/run/a" || err != nil {
		t.Errorf("%q, %v", d, err)
	}
	dir := filepath.Join(t.TempDir(), "private")
	for range 2 {
		if d, err := privateDir(dir, os.Getuid()); d != dir || err != nil {
			t.Errorf("%q, %v", d, err)
		}
	}
	if _, err := privateDir(dir, os.Getuid()+1); err == nil {
		t.Error("somebody else's directory was accepted")
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := privateDir(dir, os.Getuid()); err == nil {
		t.Error("an open directory was accepted")
	}
}

func TestValidAttempt(t *testing.T) {
	for id, want := range map[string]bool{
		"01a1f85d-1f72-74af-a9ad-4546bfdebf59": true, "a_b.c": true, "": false, ".": false, "..": false, ".runner": false,
		"a/b": false, "a b": false, strings.Repeat("x", 65): false, "a\x00": false,
	} {
		if validAttempt(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

func TestSignalProcess_spares_a_recycled_pid(t *testing.T) {
	p, err := readProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p.start--
	if err := signalProcess(p, unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
		t.Errorf("error %v", err)
	}
	if now := ticks(); p.start > now || now-p.start > 100*3600*24 {
		t.Errorf("started at %d, now is %d", p.start, now)
	}
}

func TestCompose_keeps_head_and_tail(t *testing.T) {
	in, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.CreateTemp(t.TempDir(), "cut")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := in.WriteString("aaaabbbbbbbbbbcccc"); err != nil {
		t.Fatal(err)
	}
	if err := compose(int(out.Fd()), int(in.Fd()), 18, 4); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out.Name())
	if want := "aaaa\n[latticed: 10 bytes left out here]\ncccc"; err != nil || !bytes.Equal(b, []byte(want)) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestFold_takes_records_in_any_order(t *testing.T) {
	recs := someRecords(2)
	want := fold(recs)
	slices.Reverse(recs)
	got := fold(recs)
	slices.Reverse(got)
	for i := range want {
		if want[i].attempt != got[i].attempt || (want[i].end == nil) != (got[i].end == nil) || got[i].pid == nil || got[i].intent == nil {
			t.Errorf("attempt %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

// Who is ended in the order of members can't act on the end of a child: a shell that
// stops at the first failure would end by itself.
func TestTree_members_begin_with_parents(t *testing.T) {
	for range 20 {
		cmd := exec.Command("bash", "-c", "sleep 60 & sleep 60 & (sleep 60; true) & echo up; wait")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		from := ticks()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		tr := &tree{attempt: "none", main: cmd.Process.Pid, from: from, to: ticks(), self: os.Getpid(), child: true}
		found := tr.members()
		for i, p := range found {
			if i == 0 && p.pid != tr.main {
				t.Errorf("the first is %d, the main process %d", p.pid, tr.main)
			}
			for _, q := range found[i:] {
				if p.ppid == q.pid {
					t.Errorf("%d comes before its parent %d", p.pid, q.pid)
				}
			}
			_ = signalProcess(p, unix.SIGKILL)
		}
		if len(found) < 4 {
			t.Errorf("members %v", found)
		}
		_ = cmd.Wait()
		for _, p := range tr.members() { // forked meanwhile
			_ = signalProcess(p, unix.SIGKILL)
		}
	}
}
