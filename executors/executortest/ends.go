package executortest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/executors"
)

func (s *suite) success(t *testing.T) {
	began := time.Now().Add(-time.Second)
	r := s.run(t, Argv("true"))
	wantCode(t, r, "")
	if r.ExitCode == nil || *r.ExitCode != 0 || r.Signal != "" || r.Cancelled || r.Value != nil {
		t.Errorf("result of true: %+v", r)
	}
	if r.StartedAt.Before(began) || r.EndedAt.Before(r.StartedAt) || r.EndedAt.After(time.Now().Add(time.Second)) {
		t.Errorf("started %v, ended %v", r.StartedAt, r.EndedAt)
	}
	if r.Usage == nil || r.Usage.Wall <= 0 || r.Usage.MaxRSS <= 0 {
		t.Errorf("usage: %+v", r.Usage)
	}
}

func (s *suite) exitStatus(t *testing.T) {
	r := s.run(t, Bash("exit 3"))
	wantCode(t, r, executors.CodeExit)
	if r.ExitCode == nil || *r.ExitCode != 3 || r.Error.Message != "exit status 3" {
		t.Errorf("exit code %v, message %q", r.ExitCode, r.Error.Message)
	}
}

func (s *suite) signal(t *testing.T) {
	r := s.run(t, Bash("kill -SEGV $$"))
	wantCode(t, r, executors.CodeSignal)
	if r.ExitCode != nil || r.Signal != "SIGSEGV" || r.Cancelled {
		t.Errorf("exit code %v, signal %q, cancelled %v", r.ExitCode, r.Signal, r.Cancelled)
	}
}

func (s *suite) timeout(t *testing.T) {
	task := Bash("sleep 60")
	task.Timeout = 200 * time.Millisecond
	r := s.run(t, task)
	wantCode(t, r, executors.CodeTimeout)
	if r.Cancelled {
		t.Error("a timeout is no cancellation")
	}
}

func (s *suite) timeoutAlone(t *testing.T) {
	p := s.place(t)
	e := p.Open(t)
	started := filepath.Join(t.TempDir(), "started")
	task := Bash("touch " + started + "; sleep 60")
	task.Timeout = 3 * time.Second // to start in
	f := s.begin(t, e, task)
	eventually(t, "it starts", func() bool { return exists(started) })
	f.cancel(executors.ErrDetached)
	f.wait()
	r := s.runAt(t, p.Open(t), known(e, task))
	wantCode(t, r, executors.CodeTimeout)
}

// refused runs a task that can never start.
func (s *suite) refused(t *testing.T, task executors.Task, code string) {
	t.Helper()
	r := s.begin(t, s.place(t).Open(t), task).wait()
	if !executors.IsPermanent(r.err) {
		t.Fatalf("error %v is not permanent", r.err)
	}
	if f, ok := errors.AsType[*executors.Failure](r.err); !ok || f.Code != code {
		t.Errorf("error %v has another code than %s", r.err, code)
	}
}

func (s *suite) missingCommand(t *testing.T) {
	s.refused(t, Argv("no-such-command-here"), executors.CodeCommandNotFound)
	s.refused(t, Argv("/no/such/command"), executors.CodeCommandNotFound)
}

func (s *suite) notExecutable(t *testing.T) {
	s.refused(t, Argv("/etc/passwd"), executors.CodeNotExecutable)
}

func (s *suite) longValue(t *testing.T) {
	s.refused(t, Argv("true", strings.Repeat("x", 128<<10)), executors.CodeValueTooLong)
	task := Argv("true")
	task.Env = map[string]string{"LONG": strings.Repeat("x", 128<<10)}
	s.refused(t, task, executors.CodeValueTooLong)
}

func (s *suite) nul(t *testing.T) {
	s.refused(t, Argv("true", "a\x00b"), executors.CodeValueInvalid)
}

// afterKill starts attempts where others had to be killed.
func (s *suite) afterKill(t *testing.T) {
	e := s.place(t).Open(t)
	var stubborn []*follow
	for range 3 {
		task := Bash("trap '' TERM; sleep 60; sleep 60")
		task.Timeout, task.Grace = 200*time.Millisecond, 100*time.Millisecond
		stubborn = append(stubborn, s.begin(t, e, task))
	}
	for _, f := range stubborn {
		wantCode(t, f.wait().Result, executors.CodeTimeout)
	}
	for range 8 {
		if r := s.runAt(t, e, Bash("sleep 0.01")); r.Error != nil {
			t.Fatalf("an attempt ended with %+v", r.Error)
		}
	}
}

func (s *suite) once(t *testing.T) {
	p := s.place(t)
	one, two := p.Open(t), p.Open(t)
	count := filepath.Join(t.TempDir(), "count")
	task := Bash("echo x >> " + count + "; sleep 0.3; echo done")
	var all []*follow
	for i := range 100 {
		e := one
		if i%2 == 1 {
			e = two
		}
		all = append(all, s.begin(t, e, task))
	}
	for _, f := range all {
		if r := f.wait(); r.err != nil || string(r.Value) != `"done"` {
			t.Errorf("a joined Run: %s, %v", r.Value, r.err)
		}
	}
	if b, err := os.ReadFile(count); err != nil || string(b) != "x\n" {
		t.Errorf("it ran %d times (%v)", strings.Count(string(b), "x"), err)
	}
}

func (s *suite) cancelledBefore(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(executors.ErrCancelled)
	r, err := s.place(t).Open(t).Run(ctx, Bash("touch "+mark))
	if err != nil || !r.Cancelled {
		t.Errorf("cancelled %v, error %v", r.Cancelled, err)
	}
	if exists(mark) {
		t.Error("it ran")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
