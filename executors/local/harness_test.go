package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/executortest"
	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
)

// place is a state directory with a runner of its own.
type place struct {
	t   testing.TB
	dir string
	o   Options
}

func newPlace(t testing.TB, change ...func(*Options)) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "latticed") // short: a socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: dir, o: Options{StateDir: dir, RuntimeDir: filepath.Join(dir, "run"), Runner: runner.Options{Idle: 300 * time.Millisecond}}}
	for _, c := range change {
		c(&p.o)
	}
	t.Cleanup(func() {
		p.stopRunners()
		p.endLeftOvers()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

// start makes an executor, as a daemon does when it starts.
func (p *place) start() *Executor {
	p.t.Helper()
	e, err := New(p.o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = e.Close() })
	return e
}

// runnerPID finds the runner of the place without an executor's help.
func (p *place) runnerPID() int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && p.isRunner(pid) {
			return pid
		}
	}
	return 0
}

// isRunner tells whether a process is a runner of the place. A number may be that of
// another one soon after, and of one that nobody has collected.
func (p *place) isRunner(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && strings.Contains(string(b), "\x00runner\x00--state-dir="+p.dir+"\x00")
}

// stopRunners lets every runner of the place leave, so that its control groups go too.
func (p *place) stopRunners() {
	for pid := p.runnerPID(); pid != 0; pid = p.runnerPID() {
		_ = unix.Kill(pid, unix.SIGTERM)
		eventually(p.t, "the runner is gone", func() bool { return p.runnerPID() != pid })
	}
}

// endLeftOvers ends attempts that a failed test has left.
func (p *place) endLeftOvers() {
	left, err := executortest.Processes(p.dir)
	if err != nil || len(left) > 0 {
		p.t.Errorf("processes are left: %v, %v", left, err)
	}
	if err := executortest.End(p.dir); err != nil {
		p.t.Error(err)
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// longEnough ends attempts whose test was killed.
const longEnough = 2 * time.Minute

func task(kind string, arg ...string) executors.Task {
	t := executors.Task{Attempt: newID(), Dispatch: newID(), Number: 7, Electron: "e", Grace: 200 * time.Millisecond, Timeout: longEnough}
	t.Body.Kind = kind
	switch kind {
	case kindRun:
		t.Argv = arg
	case kindBash:
		t.Body.Bash = arg[0]
	case kindPython:
		t.Body = graph.Body{Kind: kind, PythonCode: arg[0], PythonFunc: "main"}
	}
	return t
}

func mustRun(t testing.TB, e *Executor, task executors.Task) executors.Result {
	t.Helper()
	res, err := e.Run(t.Context(), task)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return res
}

// running is a Run that goes on.
type running struct {
	t      testing.TB
	cancel context.CancelCauseFunc
	done   chan struct{}
	res    executors.Result
	err    error
}

func begin(t testing.TB, e *Executor, task executors.Task) *running {
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &running{t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.res, r.err = e.Run(ctx, task)
	}()
	t.Cleanup(func() {
		cancel(executors.ErrCancelled) // a test that failed leaves nothing running
		<-r.done
	})
	return r
}

func (r *running) wait() (executors.Result, error) {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		r.t.Fatal("Run did not return")
	}
	return r.res, r.err
}

func contextWithCause(t *testing.T) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it did not come about that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func code(r executors.Result) string {
	if r.Error == nil {
		return ""
	}
	return r.Error.Code
}
