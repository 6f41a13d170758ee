package store

import (
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestRuns_knows_the_last_end(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	e := event(t, "1")
	record(t, s, tr, batch(e), fired(e, dispatchOf(l))...)
	d := begin(t, s, 1)[0].Dispatch
	advance(t, s, graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Failed}})
	end := must(s.Dispatch(t.Context(), d.ID))(t).EndedAt
	want := triggers.Runs{LastEnd: end}
	if got := must(s.Runs(t.Context(), tr.ID))(t); got != want || end.IsZero() {
		t.Errorf("%+v, want %+v", got, want)
	}
	s = reopen(t, s)
	if got := must(s.Runs(t.Context(), tr.ID))(t); got != want {
		t.Errorf("after a restart %+v, want %+v", got, want)
	}

	e = event(t, "2")
	record(t, s, tr, batch(e), fired(e, dispatchOf(l))...)
	d = begin(t, s, 1)[0].Dispatch
	advance(t, s, graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Failed}})
	want.LastEnd = must(s.Dispatch(t.Context(), d.ID))(t).EndedAt
	if err := s.DeleteDispatch(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if got := must(s.Runs(t.Context(), tr.ID))(t); got != want {
		t.Errorf("of a deleted dispatch %+v, want %+v", got, want)
	}
}
