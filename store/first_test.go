package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

// starting is a dispatch whose first electron starts as it is stored.
func starting(t testing.TB, l *graph.Lattice) graph.Dispatch {
	d := dispatchOf(l)
	d.ID = id(t)
	d.First = []graph.AttemptStart{{Electron: 0, Name: "e0", ID: id(t), N: 1, Executor: "local", Handle: []byte(`{"boot_id":"b"}`)}}
	return d
}

func TestFirst_is_stored_with_the_dispatch(t *testing.T) {
	s := openNew(t)
	d := insert(t, s, starting(t, withLattice(t, s, "one", 2)))
	if d.Status != graph.Pending || d.Number != 1 || !d.StartedAt.IsZero() {
		t.Errorf("it was accepted as %+v", d)
	}
	if got := must(s.Pending(t.Context(), 9, none))(t); len(got) != 0 {
		t.Errorf("it waits: %+v", got)
	}
	runs := must(s.Live(t.Context(), 0, 9))(t)
	if len(runs) != 1 || len(runs[0].Electrons) != 1 || len(runs[0].Electrons[0].Attempts) != 1 {
		t.Fatalf("it is %+v", runs)
	}
	got, a := runs[0].Dispatch, runs[0].Electrons[0].Attempts[0]
	if got.Status != graph.Running || !got.StartedAt.Equal(got.CreatedAt) || got.Counts.Running != 1 || got.Counts.Pending != 1 || got.Seq <= d.Seq {
		t.Errorf("it is %+v", got)
	}
	if a.ID != d.First[0].ID || a.Status != graph.Running || !a.StartedAt.Equal(got.CreatedAt) || string(a.Handle) != `{"boot_id":"b"}` {
		t.Errorf("its attempt is %+v", a)
	}
	advance(t, s, graph.Step{
		Dispatch: d.ID, Ends: []graph.AttemptEnd{{Electron: 0, N: 1, ID: a.ID, Status: graph.Failed}},
		Electrons: []graph.ElectronChange{
			{Electron: 0, Name: "e0", From: graph.Running, To: graph.Failed},
			{Electron: 1, Name: "e1", From: graph.Pending, To: graph.Skipped},
		},
		Finish: &graph.DispatchEnd{Status: graph.Failed},
	})
	if got := must(s.Dispatch(t.Context(), d.ID))(t); got.Status != graph.Failed || got.Counts.Failed != 1 || got.Counts.Skipped != 1 {
		t.Errorf("it ended %+v", got)
	}
}

func TestFirst_is_a_change_for_those_who_follow_from_the_answer(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "in")
	d := insert(t, s, starting(t, l))
	cs, reset, err := s.ChangedSince(t.Context(), d.Seq, 9)
	if err != nil || reset || len(cs) != 1 || cs[0].ID != d.ID || cs[0].Dispatch.Status != graph.Running {
		t.Errorf("after the answer came %+v, reset %v: %v", cs, reset, err)
	}
	e := event(t, "k")
	g := must(s.Record(t.Context(), tr.ID, 1, batch(e), fired(e, starting(t, l))))(t).Dispatches[0]
	cs = must2(s.ChangedSince(t.Context(), g.Seq, 9))(t)
	if !slices.ContainsFunc(cs, func(c Change) bool { return c.ID == g.ID && c.Dispatch.Status == graph.Running }) {
		t.Errorf("after the firing came %+v", cs)
	}
	waits := insert(t, s, dispatchOf(l))
	if got := must(s.Dispatch(t.Context(), waits.ID))(t); got.Seq != waits.Seq {
		t.Errorf("one that waits has changed to %d since %d", got.Seq, waits.Seq)
	}
}

func TestFirst_is_refused_with_the_dispatch(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "one", 1)
	taken := insert(t, s, starting(t, l))
	again := starting(t, l)
	again.First = append(again.First, again.First[0]) // two attempts of one electron can't both be its first
	isNew, ofSweep := starting(t, l), starting(t, l)
	isNew.Status = graph.New
	for name, d := range map[string]graph.Dispatch{"twice": again, "new": isNew} {
		if _, err := s.InsertDispatch(t.Context(), d); err == nil {
			t.Errorf("%s: it was stored", name)
		}
	}
	ofSweep.Sweep = graph.OwnSweep
	if _, err := s.InsertSweep(t.Context(), []graph.Dispatch{ofSweep}, false); err == nil {
		t.Error("of a sweep: it was stored")
	}
	if n, m := rows(t, s, "dispatches"), rows(t, s, "attempts"); n != 1 || m != 1 {
		t.Errorf("%d dispatches, %d attempts", n, m)
	}
	if next := insert(t, s, starting(t, l)); next.Number != taken.Number+1 {
		t.Errorf("the next one has number %d", next.Number)
	}
}

func TestFirst_that_is_cancelled_is_asked_to_end(t *testing.T) {
	s := openNew(t)
	d := insert(t, s, starting(t, withLattice(t, s, "one", 1)))
	got, changed, err := s.RequestCancel(t.Context(), d.ID)
	if err != nil || !changed || got.Status != graph.Running || got.CancelRequestedAt.IsZero() {
		t.Errorf("it is %+v, changed %v: %v", got, changed, err)
	}
}

func TestFirst_of_a_firing_starts_with_it(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "in")
	e := event(t, "k")
	d := starting(t, l)
	rec := must(s.Record(t.Context(), tr.ID, 1, batch(e), fired(e, d)))(t)
	again := starting(t, l)
	dropped := must(s.Record(t.Context(), tr.ID, 1, batch(e), fired(e, again)))(t)
	if len(rec.Dispatches) != 1 || rec.Dispatches[0].ID != d.ID || rec.Dispatches[0].Number == 0 || len(dropped.Dispatches) != 0 {
		t.Errorf("recorded %+v, then %+v", rec, dropped)
	}
	got := must(s.Dispatch(t.Context(), d.ID))(t)
	if got.Status != graph.Running || got.TriggerID != tr.ID || time.Since(got.StartedAt) > time.Minute {
		t.Errorf("it is %+v", got)
	}
	if c := must(s.Counts(t.Context(), tr.ID))(t); c.InFlight != 1 {
		t.Errorf("counts are %+v", c)
	}
	if n := rows(t, s, "attempts"); n != 1 {
		t.Errorf("%d attempts", n)
	}
}

func TestFirst_in_a_group_with_a_refused_unit_is_stored_once(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "one", 1)
	gone, stays := starting(t, l), starting(t, l)
	insert := func(d graph.Dispatch, then error) func(*tx) error {
		return func(t *tx) error {
			if err := t.insertDispatch(&d, triggerRef{}); err != nil {
				return err
			}
			d.Number = 0 // a unit may run twice
			return then
		}
	}
	errs := together(t, s, insert(gone, errRefused), insert(stays, nil))
	if !errors.Is(errs[0], errRefused) || errs[1] != nil {
		t.Fatal(errs)
	}
	if n, m := rows(t, s, "dispatches"), rows(t, s, "attempts"); n != 1 || m != 1 {
		t.Errorf("%d dispatches, %d attempts", n, m)
	}
	end := func(d graph.Dispatch) error { // the one that is stored has the number that the other one had
		return s.Advance(t.Context(), graph.Step{
			Dispatch: d.ID, Ends: []graph.AttemptEnd{{Electron: 0, N: 1, ID: stays.First[0].ID, Status: graph.Completed}},
			Electrons: []graph.ElectronChange{{Electron: 0, Name: "e0", From: graph.Running, To: graph.Completed}},
			Finish:    &graph.DispatchEnd{Status: graph.Completed},
		})
	}
	if err := end(gone); !errors.Is(err, graph.ErrStale) {
		t.Errorf("the step of one that was refused: %v", err)
	}
	if err := end(stays); err != nil {
		t.Errorf("the step of the other one: %v", err)
	}
}
