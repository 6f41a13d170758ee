package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

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
	t.Run("an amended event is a sign of life", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "a")
		e := event(t, "1")
		record(t, s, tr, batch(e))
		before := must(s.Trigger(t.Context(), tr.ID))(t).LastEventAt
		time.Sleep(2 * time.Millisecond) // the store counts microseconds
		e.Amends = true
		record(t, s, tr, batch(e))
		if at := must(s.Trigger(t.Context(), tr.ID))(t).LastEventAt; !at.After(before) {
			t.Errorf("the last event was at %s, as before", at)
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
