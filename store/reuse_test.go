package store

import (
	"errors"
	"testing"

	"github.com/latticed/latticed/graph"
)

func small(content string) graph.NewAsset {
	b := []byte(content)
	return graph.NewAsset{Asset: graph.Asset{SHA256: shaOf(content), Size: int64(len(b))}, Data: b}
}

// leaving runs electron 0 of a dispatch to its end.
func leaving(t *testing.T, s *Store, d graph.Dispatch) (result, out graph.Asset) {
	t.Helper()
	r, o := small(`"r"`), small("out")
	advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{{Electron: 0, Name: "e0", ID: "a1", N: 1, Executor: "local", Reuse: "it failed"}}})
	advance(t, s, graph.Step{
		Dispatch: d.ID, Assets: []graph.NewAsset{r, o},
		Ends:      []graph.AttemptEnd{{Electron: 0, N: 1, ID: "a1", Status: graph.Completed, Stdout: &o.Asset}},
		Electrons: []graph.ElectronChange{{Electron: 0, Name: "e0", From: graph.Running, To: graph.Completed, Result: &r.Asset, Fingerprint: []byte(`{"v":1}`)}},
	})
	advance(t, s, graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Completed}})
	return r.Asset, o.Asset
}

func taken(from string, r, o graph.Asset) graph.ElectronChange {
	return graph.ElectronChange{
		Electron: 0, Name: "e0", From: graph.Pending, To: graph.Completed, Result: &r, Fingerprint: []byte(`{"v":1}`),
		Reused: &graph.Reused{From: from, Why: "nothing changed", Stdout: &o},
	}
}

func TestReuse_is_recorded_with_what_it_took_over(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	parent := claimed(t, s, l)
	r, o := leaving(t, s, parent)
	if e := must(s.Electron(t.Context(), parent.ID, "e0"))(t); e.Reuse != "it failed" || e.ReusedFrom != "" || e.Stdout != nil {
		t.Errorf("the parent's is %+v", e)
	}
	if raw := must(s.Fingerprint(t.Context(), parent.ID, 0))(t); string(raw) != `{"v":1}` {
		t.Errorf("its fingerprint is %s", raw)
	}
	if _, err := s.Fingerprint(t.Context(), parent.ID, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("one without a row gives %v", err)
	}
	child := claimed(t, s, l)
	step := graph.Step{Dispatch: child.ID, Electrons: []graph.ElectronChange{taken(parent.ID, r, o)}}
	advance(t, s, step)
	if err := s.Advance(t.Context(), step); !errors.Is(err, graph.ErrStale) {
		t.Errorf("a second time gives %v", err)
	}
	run := must(s.Run(t.Context(), child.ID))(t)
	e := run.Electrons[0]
	if e.Status != graph.Completed || e.ReusedFrom != parent.ID || e.Reuse != "nothing changed" || *e.Stdout != o || *e.Result != r || len(e.Attempts) != 0 || run.Dispatch.Counts.Completed != 1 {
		t.Errorf("it is %+v, %+v", e, run.Dispatch.Counts)
	}
	advance(t, s, graph.Step{Dispatch: child.ID, Finish: &graph.DispatchEnd{Status: graph.Completed}})
	for _, d := range []graph.Dispatch{parent, child} { // the last takes the assets with it
		for _, a := range []graph.Asset{r, o} {
			f := must(s.OpenAsset(t.Context(), a.SHA256))(t)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := s.DeleteDispatch(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []graph.Asset{r, o} {
		if _, err := s.OpenAsset(t.Context(), a.SHA256); !errors.Is(err, ErrNotFound) {
			t.Errorf("asset %s is left: %v", a.SHA256, err)
		}
	}
}

func TestReuse_of_what_is_gone_is_stale(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	parent := claimed(t, s, l)
	r, o := leaving(t, s, parent)
	child := claimed(t, s, l)
	if err := s.DeleteDispatch(t.Context(), parent.ID); err != nil {
		t.Fatal(err)
	}
	err := s.Advance(t.Context(), graph.Step{Dispatch: child.ID, Electrons: []graph.ElectronChange{taken(parent.ID, r, o)}})
	if !errors.Is(err, graph.ErrStale) {
		t.Errorf("it gives %v", err)
	}
}

func TestRequestCancelElectrons(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 3)
	mark := func(d graph.Dispatch, is map[int]string) (graph.Dispatch, int) {
		t.Helper()
		d, n, err := s.RequestCancelElectrons(t.Context(), d.ID, is)
		if err != nil {
			t.Fatal(err)
		}
		return d, n
	}
	t.Run("marks_what_has_not_ended_once", func(t *testing.T) {
		d := claimed(t, s, l)
		advance(t, s, graph.Step{Dispatch: d.ID, Electrons: []graph.ElectronChange{{Electron: 0, Name: "e0", From: graph.Pending, To: graph.Failed}}})
		if got, n := mark(d, map[int]string{0: "e0", 1: "e1"}); n != 1 || got.Marked {
			t.Errorf("%d are marked, %v", n, got.Marked)
		}
		if _, n := mark(d, map[int]string{1: "e1", 2: "e2"}); n != 1 {
			t.Errorf("%d are marked", n)
		}
		for _, e := range must(s.Run(t.Context(), d.ID))(t).Electrons {
			if e.CancelRequestedAt.IsZero() != (e.Index == 0) {
				t.Errorf("%s is marked at %s", e.Name, e.CancelRequestedAt)
			}
		}
		advance(t, s, graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Failed}})
		if _, n := mark(d, map[int]string{0: "e0", 1: "e1", 2: "e2"}); n != 0 {
			t.Errorf("%d are marked of a dispatch that is over", n)
		}
	})
	t.Run("of_what_has_not_begun_keeps_who_does_not_know_from_beginning_it", func(t *testing.T) {
		d := insert(t, s, dispatchOf(l))
		if got, n := mark(d, map[int]string{2: "e2"}); n != 1 || !got.Marked || got.Status != graph.Pending {
			t.Errorf("%d are marked, %+v", n, got)
		}
		begins := graph.Step{Dispatch: d.ID, Begin: s.o.Now()}
		if err := s.Advance(t.Context(), begins); !errors.Is(err, graph.ErrStale) {
			t.Errorf("it gives %v", err)
		}
		begins.Marked = true
		advance(t, s, begins)
	})
	t.Run("of_what_never_begins_leaves_none_behind_that_waits", func(t *testing.T) {
		d := insert(t, s, dispatchOf(l))
		mark(d, map[int]string{2: "e2"})
		if _, _, err := s.RequestCancel(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		es, _, err := s.Electrons(t.Context(), d.ID, nil, "", 10)
		if err != nil || len(es) != 3 {
			t.Fatalf("there are %+v, %v", es, err)
		}
		for _, e := range es {
			if e.Status != graph.Cancelled || e.Reason != graph.ReasonCancelled || e.EndedAt.IsZero() {
				t.Errorf("%s is %+v", e.Name, e)
			}
		}
	})
	if _, _, err := s.RequestCancelElectrons(t.Context(), "99", map[int]string{0: "e0"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown dispatch gives %v", err)
	}
}
