package local

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

// A daemon of a newer protocol starts a runner of its own, follows what the old one
// has to its end, and lets it leave.
func TestNewerProtocol(t *testing.T) {
	p := newPlace(t)
	old := p.start()
	dir := t.TempDir()
	on := filepath.Join(dir, "on")
	running, collected := task(kindBash, "until [ -e "+on+" ]; do sleep 0.02; done; echo old"), task(kindRun, "echo", "ended")
	mustRun(t, old, collected)
	r := begin(t, old, running)
	eventually(t, "it runs", func() bool { return exists(filepath.Join(p.dir, "work", running.Attempt)) })
	r.cancel(executors.ErrDetached)
	if _, err := r.wait(); !errors.Is(err, executors.ErrDetached) {
		t.Fatal(err)
	}
	oldInfo, err := old.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = old.Close()

	p.o.Runner.Protocol = 2
	e := p.start()
	follow := begin(t, e, withHandle(old, running))
	if res := mustRun(t, e, task(kindRun, "echo", "new")); string(res.Value) != `"new"` {
		t.Errorf("a new attempt: %s", res.Value)
	}
	info, err := e.Info(t.Context())
	if err != nil || info.PID == oldInfo.PID || info.Protocol != 2 {
		t.Errorf("the new runner is %+v, the old one %+v, %v", info, oldInfo, err)
	}
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if res, err := follow.wait(); err != nil || string(res.Value) != `"old"` {
		t.Errorf("followed: %s, %v", res.Value, err)
	}
	eventually(t, "the old runner leaves", func() bool { return unix.Kill(oldInfo.PID, 0) != nil })
	// What the old one left in its journal is still known.
	if res, err := e.Run(t.Context(), withHandle(old, collected)); err != nil || string(res.Value) != `"ended"` {
		t.Errorf("collected: %s, %v", res.Value, err)
	}
}

func withHandle(e *Executor, t executors.Task) executors.Task {
	t.Handle = e.Handle(t.Attempt)
	return t
}

// While the runner that has an attempt can't be asked, no other may start it.
func TestNewerProtocol_an_old_runner_that_does_not_answer(t *testing.T) {
	p := newPlace(t)
	old := p.start()
	dir := t.TempDir()
	mark, on := filepath.Join(dir, "mark"), filepath.Join(dir, "on")
	tk := task(kindBash, "echo x >> "+mark+"; until [ -e "+on+" ]; do sleep 0.02; done; echo fine")
	r := begin(t, old, tk)
	eventually(t, "it runs", func() bool { return exists(mark) })
	r.cancel(executors.ErrDetached)
	if _, err := r.wait(); !errors.Is(err, executors.ErrDetached) {
		t.Fatal(err)
	}
	_ = old.Close()
	pid := p.runnerPID()
	t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGCONT) })
	halt(t, pid)

	p.o.Runner.Protocol, p.o.Connect = 2, time.Second
	e := p.start()
	if _, err := e.Run(t.Context(), withHandle(old, tk)); !errors.Is(err, executors.ErrUnknown) {
		t.Errorf("asked while the old runner is stopped: %v", err)
	}
	// Nor if whoever asks does not know of the old runner, or wants it cancelled.
	for _, cancelled := range []bool{false, true} {
		ctx, cancel := contextWithCause(t)
		if cancelled {
			cancel(executors.ErrCancelled)
		}
		if _, err := e.Run(ctx, withHandle(e, tk)); !errors.Is(err, executors.ErrUnknown) {
			t.Errorf("asked of the new runner, cancelled %v: %v", cancelled, err)
		}
	}
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if res := mustRun(t, e, withHandle(old, tk)); string(res.Value) != `"fine"` {
		t.Errorf("value %s", res.Value)
	}
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
}

// halt stops every thread of a process.
func halt(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it stands still", func() bool {
		threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range threads {
			if b, err := os.ReadFile(f); err != nil || !strings.Contains(string(b), ") T ") {
				return false
			}
		}
		return true
	})
}

func TestRunnerThatIsAnother_is_named(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	work := runner.WorkDir(p.dir)
	for what, c := range map[string]struct {
		m    runner.Message
		want string
	}{
		"protocol":   {&runner.Hello{Protocol: 2, BootID: e.boot, WorkDir: work}, "protocol 2, this program asks for 1"},
		"boot":       {&runner.Hello{Protocol: 1, BootID: "b00t", WorkDir: work}, "boot b00t"},
		"directory":  {&runner.Hello{Protocol: 1, BootID: e.boot, WorkDir: "/elsewhere/work"}, "works in /elsewhere/work"},
		"no_hello":   {&runner.Cancel{}, "hello"},
		"it_is_ours": {&runner.Hello{Protocol: 1, BootID: e.boot, WorkDir: work}, ""},
	} {
		err := e.fits(c.m, 1)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Mkdir(work, 0o711), os.Symlink(p.dir, link)); err != nil {
		t.Fatal(err)
	}
	if err := e.fits(&runner.Hello{Protocol: 1, BootID: e.boot, WorkDir: runner.WorkDir(link)}, 1); err != nil {
		t.Errorf("by a link: %v", err)
	}
}

// What keeps a runner from starting is told to whoever waits for it.
func TestRunnerThatCanNotStart_says_why(t *testing.T) {
	p := newPlace(t)
	p.o.Connect = 20 * time.Second // it is told at once
	if err := os.MkdirAll(filepath.Join(p.dir, "work", ".runner", "journal.1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.start().Check(t.Context()); err == nil || !strings.Contains(err.Error(), "read the journal") {
		t.Errorf("error %v", err)
	}
}
