package local

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A runner lives on for a while after its daemon. Whoever moves or wipes the state
// directory meanwhile and starts a daemon at the same path gets a runner of its own.
func TestStateDirectoryTaken_from_below_an_idle_runner(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"wiped": os.RemoveAll,
		"moved": func(dir string) error { return os.Rename(dir, dir+".old") },
		"work_wiped": func(dir string) error {
			return os.RemoveAll(filepath.Join(dir, "work"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, runElsewhere(t))
			t.Cleanup(func() { _ = os.RemoveAll(p.dir + ".old") })
			e := p.start()
			mustRun(t, e, task(kindRun, "echo", "old")).Release(false)
			old := pidOf(t, e)
			_ = e.Close()
			eventually(t, "it is taken", func() bool { return take(p.dir) == nil }) // the runner clears up there still
			if err := os.MkdirAll(p.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			f := p.start()
			if err := f.Check(t.Context()); err != nil {
				t.Error(err)
			}
			if res := mustRun(t, f, task(kindRun, "echo", "new")); string(res.Value) != `"new"` {
				t.Errorf("value %s", res.Value)
			}
			if info, err := f.Info(t.Context()); err != nil || info.PID == old {
				t.Errorf("runner %d, the old one was %d, %v", info.PID, old, err)
			}
			eventually(t, "the old runner leaves", func() bool { return !p.isRunner(old) })
			if res := mustRun(t, p.start(), task(kindRun, "echo", "newer")); string(res.Value) != `"newer"` {
				t.Errorf("after the old one has left: %s", res.Value)
			}
		})
	}
}

// pidOf is the runner that an executor speaks to; on a busy machine another one may have
// been started, which leaves when it finds the first.
func pidOf(t *testing.T, e *Executor) int {
	t.Helper()
	info, err := e.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.PID
}

// runElsewhere keeps the socket apart from the state directory and runners for long.
func runElsewhere(t *testing.T) func(*Options) {
	dir, err := os.MkdirTemp("", "latticed") // short: a socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return func(o *Options) { o.RuntimeDir, o.Runner.Idle = dir, time.Minute }
}

// A daemon that lives while its runner loses its directory follows what runs there to
// its end, and has everything else started by another runner.
func TestStateDirectoryTaken_from_below_a_daemon(t *testing.T) {
	p := newPlace(t, runElsewhere(t))
	e := p.start()
	dir := t.TempDir()
	mark, on := filepath.Join(dir, "mark"), filepath.Join(dir, "on")
	first := begin(t, e, task(kindBash, "echo x >> "+mark+"; until [ -e "+on+" ]; do sleep 0.02; done; echo fine"))
	second := begin(t, e, task(kindBash, "touch "+mark+".2; sleep 60"))
	eventually(t, "they run", func() bool { return exists(mark) && exists(mark+".2") })
	old := pidOf(t, e)
	if err := os.RemoveAll(filepath.Join(p.dir, "work")); err != nil {
		t.Fatal(err)
	}
	if res := mustRun(t, e, task(kindRun, "echo", "new")); string(res.Value) != `"new"` {
		t.Errorf("value %s", res.Value)
	}
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if info, err := e.Info(t.Context()); err != nil || info.PID == old {
		t.Errorf("runner %d, the old one was %d, %v", info.PID, old, err)
	}
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := first.wait()
	if err != nil || res.Stdout == nil && res.Value == nil {
		t.Errorf("what ran: %+v, %v", res, err)
	}
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
	if !p.isRunner(old) {
		t.Error("the old runner left an attempt alone")
	}
	second.cancel(nil)
	if res, err := second.wait(); err != nil || !res.Cancelled {
		t.Errorf("cancelled %v, %v", res.Cancelled, err)
	}
	eventually(t, "the old runner leaves", func() bool { return !p.isRunner(old) })
}
