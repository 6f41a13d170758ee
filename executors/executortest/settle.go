package executortest

import (
	"path/filepath"
	"testing"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// settle starts again after a daemon that died between the end of attempts and their
// release: what failed keeps its directory, what is wanted or runs is left alone.
func (s *suite) settle(t *testing.T) {
	p := s.place(t)
	e := p.Open(t)
	settler, ok := e.(executors.Settler)
	if !ok {
		return // not promised
	}
	stored, failed, wanted, live, without := Bash("true"), Bash("exit 1"), Bash("echo 1"), Bash("sleep 60"), Bash("true")
	without.Outputs = []graph.Output{{Name: "o", Path: "o"}}
	var dirs []string
	for _, task := range []executors.Task{stored, failed, wanted, without} {
		r := s.begin(t, e, task).wait()
		if r.err != nil {
			t.Fatal(r.err)
		}
		dirs = append(dirs, r.WorkDir)
	}
	cancelled := Bash("sleep 60")
	f := s.begin(t, e, cancelled)
	dir := filepath.Join(filepath.Dir(dirs[0]), cancelled.Attempt)
	eventually(t, "the one to be cancelled runs", func() bool { return exists(dir) })
	f.cancel(executors.ErrCancelled)
	if r := f.wait(); r.err != nil || !r.Cancelled {
		t.Fatalf("the one to be cancelled: %+v, %v", r.Error, r.err)
	}
	f = s.begin(t, e, live)
	eventually(t, "it runs", func() bool { return exists(filepath.Join(filepath.Dir(dirs[0]), live.Attempt)) })
	again, _ := p.Open(t).(executors.Settler)
	if err := again.Settle(t.Context(), func(id string) bool { return id == wanted.Attempt || id == live.Attempt }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stored one is gone", func() bool { return !exists(dirs[0]) })
	eventually(t, "the cancelled one is gone", func() bool { return !exists(dir) })
	if !exists(dirs[1]) || !exists(dirs[2]) || !exists(dirs[3]) {
		t.Errorf("directories: failed %v, wanted %v, failed without its output %v", exists(dirs[1]), exists(dirs[2]), exists(dirs[3]))
	}
	if err := settler.Settle(t.Context(), func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if r := s.runAt(t, e, known(e, wanted)); string(r.Value) != `"1"` {
		t.Errorf("the wanted one: %s", r.Value)
	}
	f.cancel(executors.ErrCancelled)
	if r := f.wait(); r.err != nil || !r.Cancelled {
		t.Errorf("the live one: %+v, %v", r.Error, r.err)
	}
}
