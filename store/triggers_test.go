package store

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

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
