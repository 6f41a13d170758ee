package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(childMain(dir))
	}
	if to := os.Getenv(childRestore); to != "" {
		os.Exit(restoreMain(os.Getenv(childDir+"_FROM"), to))
	}
	goleak.VerifyTestMain(m)
}

// openAt opens a store that the test closes, unless it does so itself.
func openAt(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	<-s.swept // the keeper shares commits with nobody from here on
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openNew(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "state"), Options{})
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openAt(t, s.dir, s.o)
}

// chain is a lattice of n electrons, each waiting for the one before.
func chain(t testing.TB, name string, n int) *graph.Lattice {
	t.Helper()
	doc := "lattice: " + name + "\nelectrons:\n"
	for i := range n {
		doc += fmt.Sprintf("  e%d:\n    run: [\"true\"]\n", i)
		if i > 0 {
			doc += fmt.Sprintf("    wait_for: [e%d]\n", i-1)
		}
	}
	l, err := graph.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// withLattice stores a lattice of n electrons.
func withLattice(t testing.TB, s *Store, name string, n int) *graph.Lattice {
	t.Helper()
	l := chain(t, name, n)
	if _, err := s.InsertLattice(t.Context(), l, true, "anna"); err != nil {
		t.Fatal(err)
	}
	return l
}

func dispatchOf(l *graph.Lattice) graph.Dispatch {
	return graph.Dispatch{
		LatticeID: l.ID, Status: graph.Pending, Inputs: []byte(`{"image":"/data/a.tif","bins":1024}`),
		Owner: "anna", CreatedBy: "anna", RunAs: "latticed-run",
	}
}

func insert(t testing.TB, s *Store, d graph.Dispatch) graph.Dispatch {
	t.Helper()
	d, err := s.InsertDispatch(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// none passes over no pending dispatch.
func none(int64) bool { return false }

// begin moves up to limit pending dispatches to running.
func begin(t testing.TB, s *Store, limit int) []graph.Run {
	t.Helper()
	var runs []graph.Run
	for _, d := range must(s.Pending(t.Context(), limit, none))(t) {
		if err := s.Advance(t.Context(), graph.Step{Dispatch: d.ID, Begin: s.o.Now()}); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, graph.Run{Dispatch: must(s.Dispatch(t.Context(), d.ID))(t)})
	}
	return runs
}

// claimed inserts a dispatch and moves it to running.
func claimed(t testing.TB, s *Store, l *graph.Lattice) graph.Dispatch {
	t.Helper()
	d := insert(t, s, dispatchOf(l))
	for _, r := range begin(t, s, 1000) {
		if r.Dispatch.ID == d.ID {
			return r.Dispatch
		}
	}
	t.Fatalf("dispatch %s was not claimed", d.ID)
	return d
}

// withTrigger stores a trigger on a dispatch of its own.
func withTrigger(t testing.TB, s *Store, name string) (triggers.Trigger, *graph.Lattice) {
	t.Helper()
	l := withLattice(t, s, "of-"+name, 1)
	d := dispatchOf(l)
	d.Status = graph.New
	d = insert(t, s, d)
	tr, err := s.CreateTrigger(t.Context(), triggers.Trigger{
		Name: name, Kind: "directory", Spec: []byte(`{"dir_path":"/data"}`), DispatchID: d.ID,
		Owner: "anna", CreatedBy: "anna", RunAs: "latticed-run",
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr, l
}

func id(t testing.TB) string {
	t.Helper()
	s, err := newID()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func event(t testing.TB, key string) triggers.Event {
	return triggers.Event{ID: id(t), Key: key, Kind: "ready", Payload: []byte(`{"path":"/data/` + key + `","size":3}`)}
}

func background() context.Context { return context.Background() }

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// rows counts what a query finds, beside the writer.
func rows(t testing.TB, s *Store, q string, args ...any) int {
	t.Helper()
	var n int
	if err := s.read.Raw("SELECT count(*) FROM "+q, args...).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}
