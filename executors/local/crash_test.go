package local

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
)

// The runner is killed while an attempt lives: the Run that follows it learns from the
// next runner that it is lost, after its process has ended and not before.
func TestRunnerDies(t *testing.T) {
	for name, change := range map[string]func(*Options){"groups": func(*Options) {}, "none": noCgroup} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, change)
			e := p.start()
			dir := t.TempDir()
			mark, over := filepath.Join(dir, "mark"), filepath.Join(dir, "over")
			task := task(kindBash, "echo x >> "+mark+"; sleep 0.7; echo late; touch "+over)
			r := begin(t, e, task)
			eventually(t, "it runs", func() bool { return exists(mark) })
			p.killOnce()
			res, err := r.wait()
			if !errors.Is(err, executors.ErrLost) || res.Release == nil {
				t.Fatalf("error %v, release %v", err, res.Release != nil)
			}
			if !exists(over) {
				t.Error("reported before its process had ended")
			}
			if res.Stdout == nil || string(res.Stdout.Data) != "late\n" {
				t.Errorf("its log: %+v", res.Stdout)
			}
			if _, err := e.Run(t.Context(), known(e, task)); !errors.Is(err, executors.ErrLost) {
				t.Errorf("asked again: %v", err)
			}
			res.Release(true)
			if b, _ := os.ReadFile(mark); string(b) != "x\n" {
				t.Errorf("it ran %d times", len(b)/2)
			}
		})
	}
}

func known(e *Executor, t executors.Task) executors.Task {
	t.Handle = e.Handle(t.Attempt)
	return t
}

// killOnce kills the runner that is there.
func (p *place) killOnce() {
	p.t.Helper()
	pid := p.runnerPID()
	if pid == 0 {
		p.t.Fatal("no runner")
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "the runner is gone", func() bool { return p.runnerPID() != pid })
}

// What ended before the runner died, and was collected by nobody, is not lost.
func TestRunnerDies_after_the_end(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	done := task(kindBash, "echo fine; echo 5 > $LATTICED_RESULT; echo o > o.txt")
	mustRun(t, e, done) // its end is not stored: no Release
	p.killOnce()
	res, err := p.start().Run(t.Context(), known(e, done))
	if err != nil || string(res.Value) != "5" || string(res.Stdout.Data) != "fine\n" {
		t.Errorf("value %s, error %v", res.Value, err)
	}
}

func TestRunnerDies_survivors_obey(t *testing.T) {
	for name, cause := range map[string]string{"cancel": executors.CodeCancelled, "timeout": executors.CodeTimeout} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			e := p.start()
			pids := filepath.Join(t.TempDir(), "pids")
			task := task(kindBash, "sleep 60 & echo $! $$ > "+pids+".tmp; mv "+pids+".tmp "+pids+"; wait")
			if cause == executors.CodeTimeout {
				task.Timeout = 5 * time.Second // it has to run and to lose its runner before
			}
			r := begin(t, e, task)
			eventually(t, "it runs", func() bool { return exists(pids) })
			p.killOnce()
			eventually(t, "there is another runner", func() bool { return p.runnerPID() != 0 })
			if cause == executors.CodeCancelled {
				r.cancel(executors.ErrCancelled)
			}
			res, err := r.wait()
			if err != nil || code(res) != cause || res.Cancelled != (cause == executors.CodeCancelled) {
				t.Errorf("%+v, error %v", res.Error, err)
			}
			b, err := os.ReadFile(pids)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range strings.Fields(string(b)) {
				pid, _ := strconv.Atoi(f)
				if unix.Kill(pid, 0) == nil && !zombie(pid) {
					t.Errorf("process %d is left", pid)
				}
			}
		})
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

// Whatever moment the runner is killed at, nothing runs twice, everything ends, and no
// process and no directory is left.
func TestRunnerDies_at_any_moment(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	dir := t.TempDir()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				once(t, e, dir)
			}
		})
	}
	ran := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	for i, began := 0, time.Now(); i < 15 || ran() < 20 && time.Since(began) < 5*time.Minute; i++ {
		time.Sleep(time.Duration(20+i*7) * time.Millisecond) // later and later in a runner's life
		if pid := p.runnerPID(); pid != 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	close(stop)
	wg.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range entries {
		if b, _ := os.ReadFile(filepath.Join(dir, f.Name())); string(b) != "x\n" {
			t.Errorf("%s ran %d times", f.Name(), len(b)/2)
		}
	}
	if ran() < 20 {
		t.Errorf("only %d attempts ran", len(entries))
	}
	eventually(t, "all directories are gone", func() bool { return len(attemptDirs(t, p)) == 0 })
}

// once runs an attempt that leaves a mark, until it is known how it ended.
func once(t *testing.T, e *Executor, dir string) {
	task := task(kindBash, "echo x >> "+filepath.Join(dir, "$LATTICED_ATTEMPT")+"; sleep 0.01")
	for {
		res, err := e.Run(t.Context(), task)
		switch {
		case err == nil && res.Error == nil, errors.Is(err, executors.ErrLost):
			res.Release(false)
			return
		case err == nil:
			t.Errorf("%+v", res.Error)
			return
		}
		task.Handle = e.Handle(task.Attempt) // as the dispatcher does when it asks again
	}
}

func attemptDirs(t *testing.T, p *place) []string {
	entries, err := os.ReadDir(filepath.Join(p.dir, "work"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Name()[0] != '.' {
			out = append(out, e.Name())
		}
	}
	return out
}

func TestHandleOfAnotherBootIsLost(t *testing.T) {
	e := newPlace(t).start()
	mark := filepath.Join(t.TempDir(), "mark")
	task := task(kindBash, "touch "+mark)
	task.Handle = json.RawMessage(`{"boot_id":"another"}`)
	res, err := e.Run(t.Context(), task)
	if !errors.Is(err, executors.ErrLost) || res.Release == nil || exists(mark) {
		t.Errorf("error %v, ran %v", err, exists(mark))
	}
}

func TestTwoRunnersAtOnceAreOne(t *testing.T) {
	p := newPlace(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	pids := map[int]bool{}
	for range 8 {
		e := p.start()
		wg.Go(func() {
			i, err := e.Info(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			pids[i.PID] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(pids) != 1 {
		t.Errorf("runners: %v", pids)
	}
}

func TestRunnerLeavesWhenNobodyNeedsIt(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	on := filepath.Join(t.TempDir(), "on")
	task := task(kindBash, "until [ -e "+on+" ]; do sleep 0.02; done; echo 1")
	r := begin(t, e, task)
	eventually(t, "it runs", func() bool { return len(attemptDirs(t, p)) == 1 })
	r.cancel(executors.ErrDetached)
	if _, err := r.wait(); !errors.Is(err, executors.ErrDetached) {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	pid := p.runnerPID()
	time.Sleep(2 * p.o.Runner.Idle) // it has to stay for as long as the attempt runs
	if p.runnerPID() != pid {
		t.Fatal("the runner left an attempt alone")
	}
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the runner leaves", func() bool { return p.runnerPID() == 0 })
	f := p.start()
	if res := mustRun(t, f, known(f, task)); string(res.Value) != `"1"` {
		t.Errorf("the end after all: %s", res.Value)
	}
}

// A start that failed and was tried again is one that the next runner knows.
func TestRunnerDies_after_a_second_try(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	dir := t.TempDir()
	tool, mark := filepath.Join(dir, "tool"), filepath.Join(dir, "mark")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\necho x >> "+mark+"; sleep 0.5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	busy, err := os.OpenFile(tool, os.O_WRONLY, 0) // exec refuses a file that is being written
	if err != nil {
		t.Fatal(err)
	}
	task := task(kindRun, tool)
	if _, err := e.Run(t.Context(), task); err == nil || executors.IsPermanent(err) {
		t.Fatalf("started while it was written: %v", err)
	}
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	r := begin(t, e, known(e, task))
	eventually(t, "it runs", func() bool { return exists(mark) })
	p.killOnce()
	if res, err := r.wait(); !errors.Is(err, executors.ErrLost) {
		t.Errorf("%+v, error %v", res, err)
	}
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
}
