package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestFire(t *testing.T) {
	t.Run("a firing, its events and its dispatches are one transaction", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "a")
		es := record(t, s, tr, batch(event(t, "1"), event(t, "2"), event(t, "3")))
		before := s.Stats().Commits
		ds := must(s.Fire(t.Context(), tr.ID, 1, []triggers.Decision{
			{FiringID: "f1", EventIDs: eventIDs(es[:2]), State: triggers.EventFired, Reason: "event", Dispatches: []graph.Dispatch{dispatchOf(l), dispatchOf(l)}, DedupeKeys: []string{"k1", "k2"}},
			{EventIDs: eventIDs(es[2:]), State: triggers.EventRejected, Reason: "expression: no such key"},
		}))(t).Dispatches
		if s.Stats().Commits != before+1 {
			t.Error("not one commit")
		}
		if len(ds) != 2 || ds[1].Number != ds[0].Number+1 || ds[0].FiringID != "f1" || ds[0].TriggerID != tr.ID || ds[0].Trigger != "a" || ds[0].Status != graph.Pending {
			t.Errorf("%+v", ds)
		}
		if diff := cmp.Diff(ds[0], must(s.Dispatch(t.Context(), ds[0].ID))(t)); diff != "" {
			t.Error(diff)
		}
		f := must(s.Firing(t.Context(), "f1"))(t)
		want := triggers.Firing{
			ID: "f1", TriggerID: tr.ID, Revision: 1, Decision: triggers.EventFired, Reason: "event",
			DispatchIDs: []string{ds[0].ID, ds[1].ID}, EventIDs: eventIDs(es[:2]), Inputs: ds[0].Inputs, At: f.At,
		}
		if diff := cmp.Diff(want, f); diff != "" || f.At.IsZero() {
			t.Error(diff)
		}
		if got := must(s.Fired(t.Context(), tr.ID, []string{"k2", "k3", "k1", ""}))(t); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"k1", "k2"}) {
			t.Errorf("dedupe keys %v", got)
		}
		if got := must(s.Trigger(t.Context(), tr.ID))(t); got.Pending != 0 || got.LastFiringAt.IsZero() || !got.OldestAt.IsZero() {
			t.Errorf("%+v", got)
		}
	})

	t.Run("a decision about a decided event is dropped whole", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "a")
		es := record(t, s, tr, batch(event(t, "1"), event(t, "2")))
		both := []triggers.Decision{{EventIDs: eventIDs(es), State: triggers.EventFired, Dispatches: []graph.Dispatch{dispatchOf(l)}}}
		if ds := must(s.Fire(t.Context(), tr.ID, 1, slices.Concat(fired(es[0], dispatchOf(l)), both)))(t).Dispatches; len(ds) != 1 {
			t.Errorf("%d dispatches", len(ds))
		}
		if ds := must(s.Fire(t.Context(), tr.ID, 1, both))(t).Dispatches; len(ds) != 0 {
			t.Errorf("%d dispatches", len(ds))
		}
		if w := must(s.Window(t.Context(), tr.ID, 0, 10))(t); len(w) != 1 || w[0].ID != es[1].ID {
			t.Errorf("undecided %+v", w)
		}
	})

	t.Run("held and released, without a write when it stands so", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "a")
		es := record(t, s, tr, batch(event(t, "1"), event(t, "2")))
		hold := []triggers.Decision{{EventIDs: eventIDs(es), State: triggers.EventHeld, Reason: "overlap"}}
		fire := func(ds []triggers.Decision) { must(s.Fire(t.Context(), tr.ID, 1, ds))(t) }
		fire(hold)
		seq := s.Seq()
		fire(hold)
		if s.Seq() != seq {
			t.Error("seq grew")
		}
		w := must(s.Window(t.Context(), tr.ID, 0, 10))(t)
		if w[0].State != triggers.EventHeld || w[0].Reason != "overlap" || w[0].Seq != es[0].Seq {
			t.Errorf("%+v", w)
		}
		fire([]triggers.Decision{{EventIDs: eventIDs(es[:1]), State: triggers.EventPending}})
		if w = must(s.Window(t.Context(), tr.ID, 0, 10))(t); w[0].State != triggers.EventPending || w[0].Reason != "" || w[1].State != triggers.EventHeld {
			t.Errorf("%+v", w)
		}
	})

	t.Run("decisions that make no sense change nothing", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "a")
		es := record(t, s, tr, batch(event(t, "1")))
		ids := eventIDs(es)
		unknown := dispatchOf(l)
		unknown.LatticeID = strings.Repeat("0", 64)
		for name, d := range map[string]triggers.Decision{
			"fired without a dispatch":  {EventIDs: ids, State: triggers.EventFired},
			"skipped with one":          {EventIDs: ids, State: triggers.EventSkipped, Dispatches: []graph.Dispatch{dispatchOf(l)}},
			"an event twice":            {EventIDs: []string{ids[0], ids[0]}, State: triggers.EventSkipped},
			"an event that is not":      {EventIDs: []string{"nobody"}, State: triggers.EventSkipped},
			"a state that is not":       {EventIDs: ids, State: "exploded"},
			"dedupe keys that miss one": {EventIDs: ids, State: triggers.EventSkipped, DedupeKeys: []string{}},
			"a lattice that is not":     {EventIDs: ids, State: triggers.EventFired, Dispatches: []graph.Dispatch{unknown}},
		} {
			if _, err := s.Fire(t.Context(), tr.ID, 1, []triggers.Decision{d}); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if w := must(s.Window(t.Context(), tr.ID, 0, 10))(t); len(w) != 1 || rows(t, s, "firings") != 0 || rows(t, s, "dispatches WHERE trigger IS NOT NULL") != 0 {
			t.Errorf("undecided %+v", w)
		}
	})

	t.Run("the end of a dispatch is no longer in flight, also after a restart", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "a")
		e1, e2, e3 := event(t, "1"), event(t, "2"), event(t, "3")
		record(t, s, tr, batch(e1, e2, e3), slices.Concat(fired(e1, dispatchOf(l)), fired(e2, dispatchOf(l)))...)
		runs := begin(t, s, 1)
		advance(t, s, graph.Step{Dispatch: runs[0].Dispatch.ID, Finish: &graph.DispatchEnd{Status: graph.Completed}})
		want := triggers.Counts{Pending: 1, InFlight: 1}
		if c := must(s.Counts(t.Context(), tr.ID))(t); c != want {
			t.Errorf("counts %+v", c)
		}
		s = reopen(t, s)
		if c := must(s.Counts(t.Context(), tr.ID))(t); c != want {
			t.Errorf("after a restart %+v", c)
		}
		ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Trigger: "a", Status: []graph.Status{graph.Pending}})
		if err != nil || len(ds) != 1 {
			t.Fatal(len(ds), err)
		}
		cancelled(t, s, ds[0])
		if c := must(s.Counts(t.Context(), tr.ID))(t); c.InFlight != 0 {
			t.Errorf("cancelled: %+v", c)
		}
	})

	t.Run("who waits for a dispatch hears that it was asked to end, and that it has", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "a")
		es := record(t, s, tr, batch(event(t, "1"), event(t, "2")))
		ds := must(s.Fire(t.Context(), tr.ID, 1, append(fired(es[0], dispatchOf(l)), fired(es[1], dispatchOf(l))...)))(t).Dispatches
		begin(t, s, 1)
		hears := func(c <-chan struct{}) bool {
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		asked, stop := s.Watch(ds[0].ID)
		defer stop()
		goesOn, stop := s.WatchEnd(ds[0].ID)
		defer stop()
		ended, stop := s.WatchEnd(ds[1].ID)
		defer stop()
		must(s.Fire(t.Context(), tr.ID, 1, []triggers.Decision{{Cancel: 2}}))(t)
		if !hears(asked) || hears(goesOn) || !hears(ended) {
			t.Error("not as it was: one runs, the other had not begun")
		}
	})
}
