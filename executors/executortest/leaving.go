package executortest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/executors"
)

// pidsIn reads the pids that scripts have written to a file.
func pidsIn(t *testing.T, path string) []int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []int
	for _, f := range strings.Fields(string(b)) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// alive tells whether a process is there and no zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func (s *suite) detach(t *testing.T) {
	p := s.place(t)
	e := p.Open(t)
	pids := filepath.Join(t.TempDir(), "pids")
	task := Bash("echo $$ > " + pids + "; sleep 60")
	f := s.begin(t, e, task)
	eventually(t, "it starts", func() bool { return len(pidsIn(t, pids)) == 1 })
	began := time.Now()
	f.cancel(executors.ErrDetached)
	r := f.wait()
	if !errors.Is(r.err, executors.ErrDetached) {
		t.Errorf("error %v, want ErrDetached", r.err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %v to leave", d)
	}
	if !alive(pidsIn(t, pids)[0]) {
		t.Error("the attempt did not stay alive")
	}
	g := s.begin(t, e, known(e, task))
	g.cancel(executors.ErrCancelled)
	if r := g.wait(); r.err != nil || !r.Cancelled || alive(pidsIn(t, pids)[0]) {
		t.Errorf("cancelled %v, error %v", r.Cancelled, r.err)
	}
}

// leave starts a task, waits until mark exists, and goes away.
func (s *suite) leave(t *testing.T, e executors.Executor, task executors.Task, mark string) {
	t.Helper()
	f := s.begin(t, e, task)
	eventually(t, "it starts", func() bool { return exists(mark) })
	f.cancel(executors.ErrDetached)
	f.wait()
}

func (s *suite) join(t *testing.T) {
	p := s.place(t)
	dir := t.TempDir()
	mark, goOn := filepath.Join(dir, "mark"), filepath.Join(dir, "on")
	task := Bash("echo x >> " + mark + "; while ! [ -e " + goOn + " ]; do sleep 0.02; done; echo fine")
	e := p.Open(t)
	s.leave(t, e, task, mark)
	f := s.begin(t, p.Open(t), known(e, task))
	if err := os.WriteFile(goOn, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := f.wait(); r.err != nil || string(r.Value) != `"fine"` {
		t.Errorf("value %s, error %v", r.Value, r.err)
	}
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
}

func (s *suite) endedMeanwhile(t *testing.T) {
	p := s.place(t)
	dir := t.TempDir()
	mark, over := filepath.Join(dir, "mark"), filepath.Join(dir, "over")
	task := Bash("echo x >> " + mark + "; sleep 0.3; echo out; echo err >&2; touch " + over + "; exit 4")
	e := p.Open(t)
	s.leave(t, e, task, mark)
	eventually(t, "it ends", func() bool { return exists(over) })
	r := s.runAt(t, p.Open(t), known(e, task))
	wantCode(t, r, executors.CodeExit)
	if text(t, r.Stdout) != "out\n" || text(t, r.Stderr) != "err\n" || *r.ExitCode != 4 {
		t.Errorf("stdout %q, stderr %q, exit %v", text(t, r.Stdout), text(t, r.Stderr), *r.ExitCode)
	}
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
}

func (s *suite) endKept(t *testing.T) {
	p := s.place(t)
	mark := filepath.Join(t.TempDir(), "mark")
	task := Bash("echo x >> " + mark + "; echo 42 > $LATTICED_RESULT")
	e := p.Open(t)
	for range 3 { // a daemon that dies before it has stored the end asks again
		r := s.begin(t, p.Open(t), known(e, task)).wait()
		if r.err != nil || string(r.Value) != "42" {
			t.Errorf("value %s, error %v", r.Value, r.err)
		}
	}
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
}

// family writes the pids of a tree of processes of every kind to a file.
const family = `
echo $$ >> PIDS
sleep 61 & echo $! >> PIDS
setsid sleep 62 & echo $! >> PIDS
( setsid bash -c 'echo $$ >> PIDS; sleep 63 & echo $! >> PIDS; wait' & )
( trap '' TERM; echo $BASHPID >> PIDS; while true; do sleep 0.1; done ) &
sleep 64 | ( echo $BASHPID >> PIDS; cat ) &
`

func (s *suite) cancelLeavesNothing(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	f := s.begin(t, s.place(t).Open(t), Bash(strings.ReplaceAll(family, "PIDS", pids)+"wait\n"))
	eventually(t, "all are there", func() bool { return len(pidsIn(t, pids)) == 7 })
	f.cancel(executors.ErrCancelled)
	r := f.wait()
	if r.err != nil || !r.Cancelled {
		t.Errorf("cancelled %v, error %v", r.Cancelled, r.err)
	}
	wantCode(t, r.Result, executors.CodeCancelled)
	for _, pid := range pidsIn(t, pids) {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

func (s *suite) cancelAsks(t *testing.T) {
	dir := t.TempDir()
	mark, said := filepath.Join(dir, "mark"), filepath.Join(dir, "said")
	task := Bash("trap 'echo bye > " + said + "; exit 0' TERM; touch " + mark + "; while true; do sleep 0.02; done")
	task.Grace = time.Minute
	f := s.begin(t, s.place(t).Open(t), task)
	eventually(t, "it starts", func() bool { return exists(mark) })
	began := time.Now()
	f.cancel(executors.ErrCancelled)
	if r := f.wait(); r.err != nil || !r.Cancelled || !exists(said) {
		t.Errorf("cancelled %v, said something: %v, error %v", r.Cancelled, exists(said), r.err)
	}
	if d := time.Since(began); d > task.Grace/2 {
		t.Errorf("it took %v although it went by itself", d)
	}
}

func (s *suite) cancelKills(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	f := s.begin(t, s.place(t).Open(t), Bash("trap '' TERM; touch "+mark+"; while true; do sleep 0.1; done"))
	eventually(t, "it starts", func() bool { return exists(mark) })
	f.cancel(executors.ErrCancelled)
	if r := f.wait(); r.err != nil || !r.Cancelled || r.Signal != "SIGKILL" {
		t.Errorf("cancelled %v, signal %q, error %v", r.Cancelled, r.Signal, r.err)
	}
}

func (s *suite) cancelJoined(t *testing.T) {
	p := s.place(t)
	dir := t.TempDir()
	mark, pids := filepath.Join(dir, "mark"), filepath.Join(dir, "pids")
	task := Bash("echo $$ > " + pids + "; touch " + mark + "; sleep 60")
	e := p.Open(t)
	s.leave(t, e, task, mark)
	f := s.begin(t, p.Open(t), known(e, task))
	f.cancel(executors.ErrCancelled)
	if r := f.wait(); r.err != nil || !r.Cancelled || alive(pidsIn(t, pids)[0]) {
		t.Errorf("cancelled %v, alive %v, error %v", r.Cancelled, alive(pidsIn(t, pids)[0]), r.err)
	}
}
