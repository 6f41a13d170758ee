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

func TestLeftOvers_get_their_grace(t *testing.T) {
	e := newPlace(t).start()
	dir := t.TempDir()
	ready, said := filepath.Join(dir, "ready"), filepath.Join(dir, "said")
	tk := task(kindBash, "bash -c 'trap \"echo bye > "+said+"; exit\" TERM; touch "+ready+"; while :; do sleep 0.02; done' & until [ -e "+ready+" ]; do sleep 0.01; done")
	tk.Grace = 10 * time.Second
	began := time.Now()
	res := mustRun(t, e, tk)
	if !exists(said) || time.Since(began) > 5*time.Second {
		t.Errorf("it said something: %v, after %v", exists(said), time.Since(began))
	}
	if res.Usage.Wall > 2 {
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
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", os.Args[0], "runner", "--state-dir="+p.dir, "--idle=200ms")
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
	p.o.Socket, p.o.Binary = "", "/no/such/binary"
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
