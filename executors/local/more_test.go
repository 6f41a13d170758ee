package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// A daemon that takes its parents' death and an empty environment as cover is still a
// child of the runner.
func TestLeftOvers_that_hide_are_ended(t *testing.T) {
	for name, change := range map[string]func(*Options){"groups": func(*Options) {}, "none": noCgroup} {
		t.Run(name, func(t *testing.T) {
			e := newPlace(t, change).start()
			pids := filepath.Join(t.TempDir(), "pids")
			res := mustRun(t, e, task(kindBash, "(env -i /usr/bin/setsid /bin/sh -c 'echo $$ > "+pids+".tmp; mv "+pids+".tmp "+pids+"; exec sleep 60' &); until [ -e "+pids+" ]; do sleep 0.01; done; echo fine"))
			if res.Error != nil || string(res.Value) != `"fine"` {
				t.Errorf("value %s, %+v", res.Value, res.Error)
			}
			if notes := strings.Join(res.Notes, ";"); !strings.Contains(notes, "left-over process") {
				t.Errorf("notes %q", notes)
			}
			b, err := os.ReadFile(pids)
			if err != nil {
				t.Fatal(err)
			}
			if pid, _ := strconv.Atoi(strings.TrimSpace(string(b))); unix.Kill(pid, 0) == nil && !zombie(pid) {
				t.Errorf("process %d is left", pid)
			}
		})
	}
}

// Without control groups, and with others beside it, one without its environment is known
// by its session.
func TestLeftOvers_without_an_environment_are_ended(t *testing.T) {
	e := newPlace(t, noCgroup).start()
	dir := t.TempDir()
	up, on, pids := filepath.Join(dir, "up"), filepath.Join(dir, "on"), filepath.Join(dir, "pids")
	other := begin(t, e, task(kindBash, "touch "+up+"; until [ -e "+on+" ]; do sleep 0.02; done"))
	eventually(t, "another runs", func() bool { return exists(up) })
	res := mustRun(t, e, task(kindBash, "env -i /bin/sleep 60 & echo $! > "+pids+"; sleep 0.1"))
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || unix.Kill(pid, 0) == nil && !zombie(pid) {
		t.Errorf("process %d is left, %v; notes %q", pid, err, res.Notes)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if res, err := other.wait(); err != nil || res.Error != nil {
		t.Errorf("the other: %+v, %v", res.Error, err)
	}
}

func TestLeftOvers_get_their_grace(t *testing.T) {
	e := newPlace(t).start()
	dir := t.TempDir()
	ready, said := filepath.Join(dir, "ready"), filepath.Join(dir, "said")
	tk := task(kindBash, "bash -c 'trap \"echo bye > "+said+"; exit\" TERM; touch "+ready+"; while :; do sleep 0.02; done' & until [ -e "+ready+" ]; do sleep 0.01; done")
	tk.Grace = time.Minute
	began := time.Now()
	res := mustRun(t, e, tk)
	if !exists(said) || time.Since(began) > tk.Grace/2 {
		t.Errorf("it said something: %v, after %v", exists(said), time.Since(began))
	}
	if res.Usage.Wall > 15 {
		t.Errorf("the electron itself took %v s", res.Usage.Wall)
	}
}

// systemd hands the socket over and starts the runner when somebody knocks.
func TestSocketOfSystemd(t *testing.T) {
	p := newPlace(t)
	p.o.Socket = filepath.Join(p.dir, "s.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.o.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", os.Args[0], "runner", "--state-dir="+p.dir, "--idle=2s") // it must not leave before somebody knocks
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := p.start()
	if res := mustRun(t, e, task(kindBash, "ls /proc/self/fd | tr '\n' ' '; echo $LISTEN_FDS")); string(res.Value) != `"0 1 2 3"` {
		t.Errorf("descriptors of an attempt: %s", res.Value)
	}
	if i, err := e.Info(t.Context()); err != nil || i.PID != cmd.Process.Pid {
		t.Errorf("runner %+v, %v", i, err)
	}
	_ = e.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("it left with %v", err)
	}
	if !exists(p.o.Socket) {
		t.Error("the socket of systemd was removed")
	}
}

func TestRunnerThatCanNotBeReached(t *testing.T) {
	p := newPlace(t)
	p.o.Connect = 50 * time.Millisecond
	p.o.Socket = filepath.Join(p.dir, "nobody.sock")
	e := p.start()
	_, err := e.Run(t.Context(), task(kindRun, "true"))
	if err == nil || errors.Is(err, executors.ErrUnknown) || executors.IsPermanent(err) {
		t.Errorf("never started: %v", err)
	}
	_, err = e.Run(t.Context(), withHandle(e, task(kindRun, "true")))
	if !errors.Is(err, executors.ErrUnknown) {
		t.Errorf("perhaps started: %v", err)
	}
	if err := e.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "runner") {
		t.Errorf("check: %v", err)
	}
	p.o.Connect, p.o.Socket, p.o.Binary = 0, "", "/no/such/binary"
	if err := p.start().Check(t.Context()); err == nil || !strings.Contains(err.Error(), "/no/such/binary runner") {
		t.Errorf("check without a binary: %v", err)
	}
}

// A hundred thousand bytes of environment, many files, many attempts at once: nothing
// is mixed up.
func TestManyAtOnce(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	for i := range 60 {
		tk := task(kindBash, "cat data big | md5sum | cut -c1-8; echo $N $LATTICED_ATTEMPT >&2; printf %s $N > out")
		tk.Env = map[string]string{"N": strconv.Itoa(i), "PAD": strings.Repeat("p", 100<<10)}
		tk.Files = []executors.File{
			{Name: "data", Data: []byte(strconv.Itoa(i))},
			{Name: "big", Data: []byte(strings.Repeat(strconv.Itoa(i%10), 200<<10))},
		}
		tk.Outputs = []graph.Output{{Name: "out", Path: "out"}}
		r := begin(t, e, tk)
		t.Cleanup(func() {
			res, err := r.wait()
			if err != nil || res.Error != nil {
				t.Fatalf("attempt %d: %v %+v", i, err, res.Error)
			}
			out := res.Outputs["out"]
			if got, want := read(t, res.Stderr), fmt.Sprintf("%d %s\n", i, tk.Attempt); got != want || read(t, &out) != strconv.Itoa(i) {
				t.Errorf("attempt %d: stderr %q, output %q", i, got, read(t, &out))
			}
			res.Release(false)
		})
	}
}

// Somebody who tidies up removes the runner's empty control groups: it makes others.
func TestControlGroups_that_were_removed_are_made_again(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	for range 3 {
		res := mustRun(t, e, task(kindRun, "true"))
		if res.Error != nil {
			t.Fatalf("%+v", res.Error)
		}
		info, err := e.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.Cgroup == "" {
			return // there are none here
		}
		groups, err := filepath.Glob(filepath.Join(info.Cgroup, "*-[0-9]*"))
		if err != nil || len(groups) == 0 {
			t.Fatalf("groups in %s: %v, %v", info.Cgroup, groups, err)
		}
		for _, g := range append(groups, info.Cgroup) { // of this test's runner alone
			_ = unix.Rmdir(g)
		}
	}
}

// Files that contradict each other will do so every time.
func TestFiles_that_do_not_go_together_are_refused_for_good(t *testing.T) {
	e := newPlace(t).start()
	for name, files := range map[string][]string{
		"twice": {"a", "b/../a"}, "a_log": {".stdout"}, "ours": {".args.json"}, "file_and_folder": {"a", "a/b"}, "too_long": {strings.Repeat("x", 300)},
	} {
		tk := task(kindRun, "true")
		tk.Args = map[string]any{"x": int64(1)}
		for _, f := range files {
			tk.Files = append(tk.Files, executors.File{Name: f, Data: []byte("x")})
		}
		_, err := e.Run(t.Context(), tk)
		if f, ok := errors.AsType[*executors.Failure](err); !executors.IsPermanent(err) || !ok || f.Code != executors.CodeValueInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A script may be run however large it is, and however it comes.
func TestFiles_with_an_interpreter_may_be_run(t *testing.T) {
	e := newPlace(t).start()
	script := []byte("#!/bin/sh\necho ran\n#" + strings.Repeat("x", 100<<10) + "\n")
	path := filepath.Join(t.TempDir(), "asset")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]executors.File{
		"large":  {Name: "tool", Size: int64(len(script)), Data: script},
		"opened": {Name: "tool", Size: int64(len(script)), Open: func() (*os.File, error) { return os.Open(path) }},
	} {
		tk := task(kindRun, "./tool")
		tk.Files = []executors.File{f}
		if res := mustRun(t, e, tk); string(res.Value) != `"ran"` {
			t.Errorf("%s: %s, %+v", name, res.Value, res.Error)
		}
	}
}
