package store

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var _ triggers.Ledger = (*Store)(nil)

func triggerOn(d graph.Dispatch, name string) triggers.Trigger {
	return triggers.Trigger{
		Name: name, Kind: "directory", Spec: []byte(`{"dir_path":"/data"}`), DispatchID: d.ID,
		Owner: "anna", CreatedBy: "anna", RunAs: "latticed-run",
	}
}

func batch(es ...triggers.Event) triggers.Batch { return triggers.Batch{Events: es} }

// fired decides that an event makes one dispatch.
func fired(e triggers.Event, d graph.Dispatch) []triggers.Decision {
	return []triggers.Decision{{EventIDs: []string{e.ID}, State: triggers.EventFired, Reason: "event", Dispatches: []graph.Dispatch{d}}}
}

func record(t testing.TB, s *Store, tr triggers.Trigger, b triggers.Batch, ds ...triggers.Decision) []triggers.Event {
	t.Helper()
	return must(s.Record(t.Context(), tr.ID, tr.Revision, b, ds))(t)
}

func eventIDs(es []triggers.Event) []string {
	var s []string
	for _, e := range es {
		s = append(s, e.ID)
	}
	return s
}

func TestTriggers(t *testing.T) {
	t.Run("comes back as it was stored, by id and by name", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "scans")
		if tr.Revision != 1 || tr.State != triggers.Preparing || tr.CreatedAt.IsZero() || tr.Seq == 0 {
			t.Errorf("%+v", tr)
		}
		for _, by := range []string{tr.ID, "scans"} {
			if diff := cmp.Diff(tr, must(s.Trigger(t.Context(), by))(t)); diff != "" {
				t.Errorf("%s: %s", by, diff)
			}
		}
		if _, err := s.Trigger(t.Context(), "nobody"); !errors.Is(err, triggers.ErrNotFound) {
			t.Errorf("no trigger: %v", err)
		}
	})

	t.Run("a taken name is a conflict, also for a revision", func(t *testing.T) {
		s := openNew(t)
		a, _ := withTrigger(t, s, "a")
		b, _ := withTrigger(t, s, "b")
		var c *triggers.ConflictError
		if _, err := s.CreateTrigger(t.Context(), triggerOn(graph.Dispatch{ID: a.DispatchID}, "b")); !errors.As(err, &c) || c.Code != "name_taken" {
			t.Errorf("create: %v", err)
		}
		b.Name = "a"
		if _, err := s.ReviseTrigger(t.Context(), b); !errors.As(err, &c) {
			t.Errorf("revise: %v", err)
		}
		if err := s.RemoveTrigger(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
		if b = must(s.ReviseTrigger(t.Context(), b))(t); b.Name != "a" || b.Revision != 2 {
			t.Errorf("%+v", b)
		}
	})

	t.Run("a target that is not there is refused", func(t *testing.T) {
		s := openNew(t)
		if _, err := s.CreateTrigger(t.Context(), triggerOn(graph.Dispatch{ID: "nobody"}, "x")); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
		if _, err := s.CreateTrigger(t.Context(), triggers.Trigger{Name: "x", Kind: "time", LatticeID: strings.Repeat("0", 64)}); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("an edit of an older revision is refused", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "a")
		edit := tr
		edit.Spec, edit.State = []byte(`{"dir_path":"/other"}`), triggers.Preparing
		got := must(s.ReviseTrigger(t.Context(), edit))(t)
		if got.Revision != 2 || string(got.Spec) != string(edit.Spec) || got.Seq <= tr.Seq {
			t.Errorf("%+v", got)
		}
		if _, err := s.ReviseTrigger(t.Context(), edit); !errors.Is(err, triggers.ErrRevised) {
			t.Errorf("second edit: %v", err)
		}
		if _, err := s.Record(t.Context(), tr.ID, 1, batch(event(t, "k")), nil); !errors.Is(err, triggers.ErrRevised) {
			t.Errorf("record: %v", err)
		}
		if _, err := s.Fire(t.Context(), tr.ID, 1, nil); !errors.Is(err, triggers.ErrRevised) {
			t.Errorf("fire: %v", err)
		}
		if n := rows(t, s, "trigger_revisions"); n != 2 {
			t.Errorf("%d revisions kept", n)
		}
	})

	t.Run("a state that stays writes nothing", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "a")
		next := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		set := func(st triggers.State, reason string, at time.Time) {
			t.Helper()
			if err := s.SetTriggerState(t.Context(), tr.ID, st, reason, at); err != nil {
				t.Fatal(err)
			}
		}
		set(triggers.Failing, "the folder is gone", next)
		commits := s.Stats().Commits
		set(triggers.Failing, "the folder is gone", next)
		set(triggers.Failing, "the folder is gone", time.Time{})
		if s.Stats().Commits != commits {
			t.Error("it was written again")
		}
		set(triggers.Active, "", time.Time{})
		if got := must(s.Trigger(t.Context(), tr.ID))(t); got.State != triggers.Active || got.Reason != "" || !got.NextAt.Equal(next) {
			t.Errorf("%+v", got)
		}
		if err := s.SetTriggerState(t.Context(), "nobody", triggers.Active, "", next); !errors.Is(err, ErrNotFound) {
			t.Errorf("no trigger: %v", err)
		}
	})

	t.Run("pages in the order of names", func(t *testing.T) {
		s := openNew(t)
		for _, n := range []string{"c", "a", "e", "b", "d"} {
			tr, _ := withTrigger(t, s, n)
			if n == "b" {
				if err := s.SetTriggerState(t.Context(), tr.ID, triggers.Paused, "", time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var got []string
		f := TriggerFilter{Limit: 2}
		for {
			ts, next, err := s.TriggersPage(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, tr := range ts {
				got = append(got, tr.Name)
			}
			if f.After = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, []string{"a", "b", "c", "d", "e"}) {
			t.Errorf("%v", got)
		}
		for want, f := range map[string]TriggerFilter{
			"b":  {State: []triggers.State{triggers.Paused}},
			"":   {Kind: "time"},
			"d":  {Kind: "directory", Owner: "anna", Query: "D"},
			"no": {Owner: "ben"},
		} {
			ts, _, err := s.TriggersPage(t.Context(), f)
			if err != nil || (len(want) == 1) != (len(ts) == 1) || (len(ts) == 1 && ts[0].Name != want) {
				t.Errorf("%+v: %+v %v", f, ts, err)
			}
		}
	})
}

func TestRemoveTrigger(t *testing.T) {
	s := openNew(t)
	tr, _ := withTrigger(t, s, "a")
	es := record(t, s, tr, triggers.Batch{
		Cursor: []byte(`1`), Entities: []triggers.Change{{Key: []byte("x"), Version: "1"}}, Events: []triggers.Event{event(t, "1"), event(t, "2"), event(t, "3")},
	})
	if _, err := s.Fire(t.Context(), tr.ID, 1, []triggers.Decision{{EventIDs: []string{es[0].ID}, State: triggers.EventHeld, Reason: "paused"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveTrigger(t.Context(), tr.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveTrigger(t.Context(), tr.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	if ts := must(s.Triggers(t.Context()))(t); len(ts) != 0 {
		t.Errorf("still listed: %+v", ts)
	}
	if _, err := s.Record(t.Context(), tr.ID, 1, batch(event(t, "4")), nil); !errors.Is(err, triggers.ErrRevised) {
		t.Errorf("record: %v", err)
	}
	got, _, err := s.Events(t.Context(), "a", []triggers.EventState{triggers.EventSkipped}, 10, "")
	if err != nil || len(got) != 3 || got[0].Reason != "trigger_removed" {
		t.Errorf("history %+v %v", got, err)
	}
	f := must(s.Firing(t.Context(), got[0].FiringID))(t)
	if f.Decision != triggers.EventSkipped || len(f.EventIDs) != 3 || f.Reason != "trigger_removed" {
		t.Errorf("%+v", f)
	}
	if c := s.counters.m; len(c) != 0 {
		t.Errorf("counters %v", c)
	}
	s = reopen(t, s) // its inventory is removed at the latest now
	if n := rows(t, s, "entities"); n != 0 {
		t.Errorf("%d entities left", n)
	}
	if err := s.DeleteDispatch(t.Context(), tr.DispatchID); err != nil {
		t.Errorf("its target: %v", err)
	}
}

func TestRecord(t *testing.T) {
	t.Run("cursor, inventory and events are kept together", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "a")
		if c := must(s.Cursor(t.Context(), tr.ID))(t); c != nil {
			t.Errorf("first cursor %s", c)
		}
		next := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		e := event(t, "k\n'ü\xff")
		es := record(t, s, tr, triggers.Batch{
			Cursor: []byte(`{"at":1}`), Next: next, Events: []triggers.Event{e},
			Entities: []triggers.Change{{Key: []byte("b"), Version: "1", Data: []byte(`{}`)}, {Key: []byte("a\xff"), Version: "2"}, {Key: nil, Version: "3"}},
		})
		if len(es) != 1 || es[0].Seq == 0 || es[0].State != triggers.EventPending || es[0].TriggerID != tr.ID || es[0].At.IsZero() {
			t.Errorf("%+v", es)
		}
		if c := must(s.Cursor(t.Context(), tr.ID))(t); string(c) != `{"at":1}` {
			t.Errorf("cursor %s", c)
		}
		if diff := cmp.Diff(es[0], must(s.Event(t.Context(), tr.ID, e.ID))(t)); diff != "" {
			t.Error(diff)
		}
		record(t, s, tr, triggers.Batch{Entities: []triggers.Change{
			{Key: []byte("b"), Version: "9"},
			{Key: []byte("c"), Version: "1"},
			{Key: []byte("c"), Deleted: true},
			{Key: nil, Deleted: true},
			{Key: []byte("b"), Version: "10"},
		}})
		var keys []string
		err := s.Entities(t.Context(), tr.ID, func(c triggers.Change) error {
			keys = append(keys, string(c.Key)+"="+c.Version)
			return nil
		})
		if err != nil || !slices.Equal(keys, []string{"a\xff=2", "b=10"}) {
			t.Errorf("inventory %q %v", keys, err)
		}
		got := must(s.Trigger(t.Context(), tr.ID))(t)
		if !got.NextAt.Equal(next) || got.LastEventAt.IsZero() || !got.LastFiringAt.IsZero() || got.Pending != 1 || !got.OldestAt.Equal(es[0].At) {
			t.Errorf("%+v", got)
		}
		if _, found, err := s.Entity(t.Context(), tr.ID, []byte("c")); found || err != nil {
			t.Errorf("deleted entity: %v", err)
		}
		if c, found, err := s.Entity(t.Context(), tr.ID, []byte("b")); !found || err != nil || c.Version != "10" || c.Data != nil {
			t.Errorf("%+v", c)
		}
	})

	t.Run("a known key changes nothing, in the batch or before", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "a")
		first := record(t, s, tr, batch(event(t, "1"), event(t, "2"), event(t, "1")))
		if len(first) != 2 {
			t.Fatalf("%d new", len(first))
		}
		again, fresh, both := event(t, "2"), event(t, "3"), event(t, "4")
		ds := append(fired(again, dispatchOf(l)), triggers.Decision{
			EventIDs: []string{both.ID, again.ID}, State: triggers.EventFired, Dispatches: []graph.Dispatch{dispatchOf(l)},
		})
		ds = append(ds, fired(fresh, dispatchOf(l))...)
		es := record(t, s, tr, batch(again, fresh, both), ds...)
		if len(es) != 2 || es[0].Key != "3" || es[0].State != triggers.EventFired || es[1].Key != "4" || es[1].State != triggers.EventPending {
			t.Errorf("%+v", es)
		}
		if n := rows(t, s, "dispatches WHERE trigger IS NOT NULL"); n != 1 {
			t.Errorf("%d dispatches", n)
		}
		if c := must(s.Counts(t.Context(), tr.ID))(t); c != (triggers.Counts{Pending: 3, InFlight: 1}) {
			t.Errorf("counts %+v", c)
		}
	})

	t.Run("an undecided event is amended with the cursor, a decided one is not", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "ticks")
		es := record(t, s, tr, batch(event(t, "1"), event(t, "2")))
		amend := func(id, payload string) error {
			_, err := s.Record(t.Context(), tr.ID, tr.Revision, triggers.Batch{
				Cursor: []byte(payload), Amended: &triggers.Event{ID: id, Payload: []byte(payload)},
			}, nil)
			return err
		}
		if err := amend(es[0].ID, `{"path":"/c"}`); err != nil {
			t.Fatal(err)
		}
		got := must(s.Window(t.Context(), tr.ID, 0, 10))(t)
		if string(got[0].Payload) != `{"path":"/c"}` || string(got[1].Payload) == `{"path":"/c"}` || got[0].Seq != es[0].Seq {
			t.Errorf("%+v", got)
		}
		if by := must(s.About(t.Context(), tr.ID, "/c", 10))(t); len(by) != 1 {
			t.Errorf("by path: %+v", by)
		}
		must(s.Fire(t.Context(), tr.ID, tr.Revision, fired(es[1], dispatchOf(l))))(t)
		if err := amend(es[1].ID, `{}`); !errors.Is(err, graph.ErrStale) {
			t.Errorf("a decided one: %v", err)
		}
		if c := must(s.Cursor(t.Context(), tr.ID))(t); string(c) != `{"path":"/c"}` {
			t.Errorf("cursor %s", c)
		}
	})
	t.Run("many events keep their order", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "a")
		var want []string
		for b := range 3 {
			var es []triggers.Event
			for i := range 37 {
				e := event(t, fmt.Sprintf("%d/%d", b, 36-i))
				es = append(es, e)
				want = append(want, e.ID)
			}
			record(t, s, tr, batch(es...))
		}
		var got []string
		after := int64(0)
		for {
			es := must(s.Window(t.Context(), tr.ID, after, 10))(t)
			if len(es) == 0 {
				break
			}
			got, after = append(got, eventIDs(es)...), es[len(es)-1].Seq
		}
		if !slices.Equal(got, want) {
			t.Error("the window is in another order than the events came")
		}
	})
}

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
}

func TestHistory(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	states := []triggers.EventState{triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead, triggers.EventHeld, triggers.EventPending}
	var es []triggers.Event
	var ds []triggers.Decision
	for i := range 30 {
		e := event(t, fmt.Sprintf("%02d", i))
		d := triggers.Decision{EventIDs: []string{e.ID}, State: states[i%6], Reason: "r"}
		if d.State == triggers.EventFired {
			d.Dispatches = []graph.Dispatch{dispatchOf(l)}
		}
		es, ds = append(es, e), append(ds, d)
	}
	record(t, s, tr, batch(es...), ds...)
	for mask := range 64 {
		var some []triggers.EventState
		var want []string
		for i, st := range states {
			if mask>>i&1 == 1 {
				some = append(some, st)
			}
		}
		for i := 29; i >= 0; i-- {
			if mask == 0 || slices.Contains(some, states[i%6]) {
				want = append(want, es[i].ID)
			}
		}
		var got []string
		for after := ""; ; {
			page, next, err := s.Events(t.Context(), tr.ID, some, 4, after)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, eventIDs(page)...)
			if after = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: %d events, want %d", some, len(got), len(want))
		}
		decisions := 0
		for after := ""; ; {
			page, next, err := s.Firings(t.Context(), "a", some, 4, after)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page {
				decisions++
				if len(f.EventIDs) != 1 || (f.Decision == triggers.EventFired) != (len(f.DispatchIDs) == 1) {
					t.Errorf("%+v", f)
				}
			}
			if after = next; next == "" {
				break
			}
		}
		finals := 0
		for i, st := range states {
			if (mask == 0 || mask>>i&1 == 1) && st != triggers.EventHeld && st != triggers.EventPending {
				finals += 5
			}
		}
		if decisions != finals {
			t.Errorf("%v: %d firings, want %d", some, decisions, finals)
		}
	}
	if _, _, err := s.Events(t.Context(), "nobody", nil, 1, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("no trigger: %v", err)
	}
	if _, _, err := s.Events(t.Context(), "a", nil, 1, "zz"); !errors.Is(err, ErrCursor) {
		t.Errorf("bad cursor: %v", err)
	}
}

func TestEventsPage(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	other, _ := withTrigger(t, s, "b")
	raw := "/data/\xff\n x"
	odd := triggers.Event{ID: id(t), Key: "odd", Kind: "ready", Payload: []byte(`{"path_b64":"` + base64.StdEncoding.EncodeToString([]byte(raw)) + `"}`)}
	none := triggers.Event{ID: id(t), Key: "none", Kind: "tick"}
	strange := triggers.Event{ID: id(t), Key: "strange", Kind: "row", Payload: []byte(`{"path":7}`)}
	again := event(t, "x2")
	again.Payload = event(t, "x").Payload
	record(t, s, tr, batch(event(t, "x"), odd, none, strange, again), fired(again, dispatchOf(l))...)
	record(t, s, other, batch(event(t, "x")))
	for _, test := range []struct {
		f    EventFilter
		want []string
	}{
		{EventFilter{Trigger: "a", Path: "/data/x"}, []string{"x2", "x"}},
		{EventFilter{Trigger: "a", Path: "/data/x", States: []triggers.EventState{triggers.EventFired, triggers.EventHeld}}, []string{"x2"}},
		{EventFilter{Trigger: "a", Path: "/data/x", States: []triggers.EventState{triggers.EventPending}}, []string{"x"}},
		{EventFilter{Trigger: other.ID, Path: "/data/x"}, []string{"x"}},
		{EventFilter{Trigger: "a", Path: raw, Kind: "ready"}, []string{"odd"}},
		{EventFilter{Trigger: "a", Path: raw, Kind: "tick"}, nil},
		{EventFilter{Trigger: "a", Path: "/data/y"}, nil},
		{EventFilter{Trigger: "a", Kind: "ready"}, []string{"x2", "odd", "x"}},
		{EventFilter{Trigger: "a", Kind: "ready", States: []triggers.EventState{triggers.EventPending}}, []string{"odd", "x"}},
	} {
		var got []string
		test.f.Limit = 1
		for {
			es, next, err := s.EventsPage(t.Context(), test.f)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				got = append(got, e.Key)
			}
			if test.f.After = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.f, got, test.want)
		}
	}
	if _, _, err := s.EventsPage(t.Context(), EventFilter{Trigger: "nobody", Path: "/"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no trigger: %v", err)
	}
}

func TestEntitiesPages(t *testing.T) {
	s := openNew(t)
	tr, _ := withTrigger(t, s, "a")
	const n = 100_000
	for from := 0; from < n; from += 10_000 {
		var b triggers.Batch
		for i := from; i < from+10_000; i++ {
			b.Entities = append(b.Entities, triggers.Change{Key: fmt.Appendf(nil, "%06d", i), Version: "1"})
		}
		record(t, s, tr, b)
	}
	seen := 0
	err := s.Entities(t.Context(), tr.ID, func(c triggers.Change) error {
		if string(c.Key) != fmt.Sprintf("%06d", seen) {
			t.Fatalf("entity %d is %s", seen, c.Key)
		}
		if seen++; seen == entityPage+1 { // nothing is locked between pages
			record(t, s, tr, triggers.Batch{Cursor: []byte("1")})
		}
		return nil
	})
	if err != nil || seen != n {
		t.Errorf("%d entities, %v", seen, err)
	}
	if err := s.Entities(t.Context(), tr.ID, func(triggers.Change) error { return errRefused }); !errors.Is(err, errRefused) {
		t.Errorf("the error of the caller: %v", err)
	}
}
