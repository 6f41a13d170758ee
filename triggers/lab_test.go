package triggers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/timer"
)

// patience is generous: these tests wait for real files on busy machines.
const patience = 60 * time.Second

// lab is a manager of the real kinds over a real store, and a folder to watch.
type lab struct {
	*testing.T
	dir, state string
	store      *store.Store
	manager    *triggers.Manager
	stop       func()
}

func newLab(t *testing.T) *lab {
	l := &lab{T: t, dir: t.TempDir(), state: t.TempDir()}
	l.start()
	if _, err := l.store.InsertLattice(t.Context(), parse(t, echo), true, "ada"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.stop() })
	return l
}

func (l *lab) start() {
	s, err := store.Open(context.Background(), l.state, store.Options{})
	if err != nil {
		l.Fatal(err)
	}
	kinds := triggers.Kinds{"directory": directory.Kind(directory.Options{}), "time": timer.Kind}
	l.store, l.manager = s, triggers.NewManager(s, kinds, triggers.Options{Log: zerolog.Nop(), Baseline: patience})
	stop := runManager(l.T, l.manager)
	l.stop = func() {
		l.stop = func() {}
		stop()
		if err := s.Close(); err != nil {
			l.Error(err)
		}
	}
}

func (l *lab) restart() {
	l.stop()
	l.start()
}

func (l *lab) write(name, content string) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		l.Fatal(err)
	}
	return path
}

// spec is one of a directory trigger with further fields.
func (l *lab) spec(fields string) []byte {
	return fmt.Appendf(nil, `{"name": "t", "kind": "directory", "lattice": "echo", "dir_path": %q, "settle": "200ms", "overlap": "allow"%s}`, l.dir, fields)
}

func (l *lab) add(fields string) triggers.Trigger {
	l.Helper()
	t, _, err := l.manager.Add(l.Context(), l.spec(fields), triggers.Principal{Name: "ada"})
	if err != nil {
		l.Fatal(err)
	}
	return t
}

// events lists "kind name state reason", oldest first.
func (l *lab) events() []triggers.Event {
	l.Helper()
	es, _, err := l.store.Events(l.Context(), "t", nil, 500, "")
	if err != nil {
		l.Fatal(err)
	}
	for i, j := 0, len(es)-1; i < j; i, j = i+1, j-1 {
		es[i], es[j] = es[j], es[i]
	}
	return es
}

func (l *lab) seen() string {
	l.Helper()
	var out []string
	for _, e := range l.events() {
		var p struct{ Name string }
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			l.Fatal(err)
		}
		reason, _, _ := strings.Cut(e.Reason, ":")
		out = append(out, fmt.Sprintf("%s:%s:%s", p.Name, e.State, reason))
	}
	return strings.Join(out, " ")
}

// expect waits until the events are these.
func (l *lab) expect(want string) {
	l.Helper()
	for end := time.Now().Add(patience); l.seen() != want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			l.Fatalf("events\n got %s\nwant %s", l.seen(), want)
		}
	}
}

func TestLab(t *testing.T) {
	by := triggers.Principal{Name: "bob"}
	t.Run("a_preview_stores_nothing_and_leaves_no_watch", func(t *testing.T) { // pain point 5
		l := newLab(t)
		l.write("a.dat", "1")
		l.write("b.part", "1")
		changes := func() string {
			ts, err := l.store.Triggers(t.Context())
			es, _, err2 := l.store.Events(t.Context(), "", nil, 10, "")
			return fmt.Sprint(ts, len(es), err, err2 != nil)
		}
		before, watches := changes(), inotify(t)
		pv, err := l.manager.Preview(t.Context(), l.spec(`, "existing": "fire", "inputs": {"path": "${{ event.name }}"}`))
		if err != nil || len(pv.WouldFire)+len(pv.Settling) != 1 || len(pv.Ignored) != 1 {
			t.Errorf("%+v %v", pv, err)
		}
		if len(pv.WouldFire) == 1 && string(pv.WouldFire[0].Inputs) != `{"n":0,"path":"a.dat"}` {
			t.Errorf("%+v", pv.WouldFire)
		}
		if changes() != before || inotify(t) != watches {
			t.Errorf("%s, was %s; %d inotify descriptors, were %d", changes(), before, inotify(t), watches)
		}
		l.add("") // the name is free
	})

	t.Run("what_was_rejected_runs_again_after_the_edit", func(t *testing.T) { // pain point 34
		l := newLab(t)
		l.add(`, "inputs": {"n": "${{ event.size > 0 ? event.path : event.size }}"}`)
		l.write("a.dat", "123")
		l.expect("a.dat:rejected:inputs")
		if _, _, err := l.manager.Patch(t.Context(), "t", []byte(`{"inputs": {"n": "${{ event.size }}"}}`), by); err != nil {
			t.Fatal(err)
		}
		l.restart()
		for want := 1; want >= 0; want-- { // twice is once
			if n, err := l.manager.Retry(t.Context(), "t", nil, nil, 0, by); err != nil || n != want {
				t.Fatal(n, err)
			}
			l.expect("a.dat:rejected:inputs a.dat:fired:event")
		}
		es := l.events()
		if es[1].Key != es[0].Key+"~1" {
			t.Errorf("%s after %s", es[1].Key, es[0].Key)
		}
		if f, err := l.manager.FireEvent(t.Context(), "t", es[1].ID, by); err != nil || f.Decision != triggers.EventFired || string(f.Inputs) != `{"n":3,"path":"none"}` {
			t.Errorf("%+v %v", f, err)
		}
	})

	t.Run("files_of_before_are_backfilled_once_and_explained", func(t *testing.T) {
		l := newLab(t)
		old := l.write("old.dat", "1")
		l.write("old.part", "1")
		l.add("")
		l.write("new.dat", "1")
		l.expect("new.dat:fired:event")
		es, err := l.manager.Explain(t.Context(), old, "")
		if err != nil || len(es) != 1 || es[0].Finding.State != triggers.FindingExisting || len(es[0].Events) != 0 {
			t.Errorf("%+v %v", es, err)
		}
		dry, err := l.manager.Backfill(t.Context(), "t", triggers.Range{}, 0, true, by)
		if err != nil || dry.Emitted != 1 {
			t.Fatalf("%+v %v", dry, err)
		}
		for _, want := range []int{1, 0} {
			b, err := l.manager.Backfill(t.Context(), "t", triggers.Range{}, 0, false, by)
			if err != nil || b.Emitted != want {
				t.Fatalf("%+v %v", b, err)
			}
		}
		l.expect("new.dat:fired:event old.dat:fired:event")
		l.restart()
		if es, err = l.manager.Explain(t.Context(), old, "t"); err != nil || len(es) != 1 || len(es[0].Events) != 1 || es[0].Events[0].FiringID == "" {
			t.Errorf("%+v %v", es, err)
		}
	})

	t.Run("an_edit_starts_now_and_fires_nothing_old", func(t *testing.T) { // pain point 32
		l := newLab(t)
		l.add(`, "include": ["*.dat"]`)
		l.write("a.txt", "1")
		l.write("a.dat", "1")
		l.expect("a.dat:fired:event")
		if _, _, err := l.manager.Patch(t.Context(), "t", []byte(`{"include": ["*.txt"]}`), by); err != nil {
			t.Fatal(err)
		}
		l.write("b.txt", "1")
		l.expect("a.dat:fired:event b.txt:fired:event")
		l.restart()
		l.write("c.txt", "1")
		l.expect("a.dat:fired:event b.txt:fired:event c.txt:fired:event")
	})

	t.Run("silence_and_its_end_survive_a_restart", func(t *testing.T) {
		l := newLab(t)
		l.add(`, "expect_every": "1s"`)
		state := func() triggers.Trigger {
			tr, err := l.store.Trigger(t.Context(), "t")
			if err != nil {
				t.Fatal(err)
			}
			return tr
		}
		until := func(s triggers.State) {
			t.Helper()
			for end := time.Now().Add(patience); state().State != s; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%s %s", state().State, state().Reason)
				}
			}
		}
		until(triggers.Failing)
		l.restart()
		if tr := state(); tr.State != triggers.Failing || !strings.HasPrefix(tr.Reason, "silent: ") {
			t.Errorf("%s %s", tr.State, tr.Reason)
		}
		if _, _, err := l.manager.Patch(t.Context(), "t", []byte(`{"expect_every": "1h"}`), by); err != nil {
			t.Fatal(err)
		}
		until(triggers.Active)
	})
}

// inotify counts the inotify descriptors of this process.
func inotify(t *testing.T) (n int) {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.Contains(to, "inotify") {
			n++
		}
	}
	return n
}
