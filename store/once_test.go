package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/graph"
)

// onceFor renders dispatches as their number.
func onceFor(key, body string) *Once {
	return &Once{Principal: "anna", Route: "POST /dispatches", Key: key, Body: []byte(body), Render: func(v any) (Answer, bool, error) {
		d, ok := v.(graph.Dispatch)
		return Answer{Status: 201, Header: map[string]string{"Location": "/" + d.ID}, Body: fmt.Append(nil, d.Number)}, ok, nil
	}}
}

func TestOnce(t *testing.T) {
	t.Run("the answer is saved with the effect and given again", func(t *testing.T) {
		s := openNew(t)
		l := chain(t, "x", 1)
		o := onceFor("k", "body")
		ctx := WithOnce(t.Context(), o)
		if _, err := s.InsertLattice(ctx, l, false, "anna"); err != nil { // a step on the way
			t.Fatal(err)
		}
		if _, found, err := s.Replay(t.Context(), *o); found || err != nil {
			t.Fatal("saved by the lattice", err)
		}
		d := must(s.InsertDispatch(ctx, dispatchOf(l)))(t)
		must(s.PatchDispatch(ctx, d.ID, DispatchPatch{}))(t) // the request goes on
		want := Answer{Status: 201, Header: map[string]string{"Location": "/" + d.ID}, Body: []byte("1")}
		s = reopen(t, s)
		got, found, err := s.Replay(t.Context(), *onceFor("k", "body"))
		if diff := cmp.Diff(want, got); !found || err != nil || diff != "" {
			t.Error(found, err, diff)
		}
		var replayed *ReplayedError
		if _, err := s.InsertDispatch(WithOnce(t.Context(), onceFor("k", "body")), dispatchOf(l)); !errors.As(err, &replayed) || string(replayed.Answer.Body) != "1" {
			t.Errorf("again: %v", err)
		}
		if n := rows(t, s, "dispatches"); n != 1 {
			t.Errorf("%d dispatches", n)
		}
	})

	t.Run("an answer that took longer takes the place of the saved one", func(t *testing.T) {
		s := openNew(t)
		o := onceFor("k", "body")
		must(s.InsertDispatch(WithOnce(t.Context(), o), dispatchOf(withLattice(t, s, "x", 1))))(t)
		want := Answer{Status: 201, Header: map[string]string{"A": "b"}, Body: []byte("later")}
		if err := s.Amend(t.Context(), *o, want); err != nil {
			t.Fatal(err)
		}
		got, found, err := s.Replay(t.Context(), *o)
		if diff := cmp.Diff(want, got); !found || err != nil || diff != "" {
			t.Error(found, err, diff)
		}
	})

	t.Run("another body under the key is refused, another principal or route is not", func(t *testing.T) {
		s := openNew(t)
		d := dispatchOf(withLattice(t, s, "x", 1))
		must(s.InsertDispatch(WithOnce(t.Context(), onceFor("k", "one")), d))(t)
		other := onceFor("k", "two")
		if _, _, err := s.Replay(t.Context(), *other); !errors.Is(err, ErrKeyReused) {
			t.Errorf("replay: %v", err)
		}
		if _, err := s.InsertDispatch(WithOnce(t.Context(), other), d); !errors.Is(err, ErrKeyReused) {
			t.Errorf("insert: %v", err)
		}
		ben, route := onceFor("k", "two"), onceFor("k", "two")
		ben.Principal, route.Route = "ben", "POST /x"
		must(s.InsertDispatch(WithOnce(t.Context(), ben), d))(t)
		must(s.InsertDispatch(WithOnce(t.Context(), route), d))(t)
	})

	t.Run("a refused change saves no key", func(t *testing.T) {
		s := openNew(t)
		d := dispatchOf(withLattice(t, s, "x", 1))
		bad := d
		bad.LatticeID = "nobody"
		if _, err := s.InsertDispatch(WithOnce(t.Context(), onceFor("k", "b")), bad); err == nil {
			t.Fatal("no error")
		}
		failing := onceFor("k", "b")
		failing.Render = func(any) (Answer, bool, error) { return Answer{}, false, errRefused }
		if _, err := s.InsertDispatch(WithOnce(t.Context(), failing), d); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		if rows(t, s, "idempotency_keys") != 0 || rows(t, s, "dispatches") != 0 {
			t.Error("something was kept")
		}
		must(s.InsertDispatch(WithOnce(t.Context(), onceFor("k", "b")), d))(t)
	})

	t.Run("of requests at the same time one has an effect, all have its answer", func(t *testing.T) {
		s := openNew(t)
		d := dispatchOf(withLattice(t, s, "x", 1))
		var made, replayed atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				got, err := s.InsertDispatch(WithOnce(background(), onceFor("k", "b")), d)
				var r *ReplayedError
				switch {
				case err == nil && got.Number == 1:
					made.Add(1)
				case errors.As(err, &r) && string(r.Answer.Body) == "1":
					replayed.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made.Load() != 1 || replayed.Load() != 15 || rows(t, s, "dispatches") != 1 {
			t.Errorf("%d made, %d replayed", made.Load(), replayed.Load())
		}
	})

	t.Run("every change that answers a request can be rendered", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		tr, _ := withTrigger(t, s, "a")
		es := record(t, s, tr, batch(event(t, "1")))
		var got []string
		once := func() *Once {
			o := onceFor(fmt.Sprint(len(got)), "")
			o.Render = func(v any) (Answer, bool, error) { got = append(got, fmt.Sprintf("%T", v)); return Answer{}, true, nil }
			return o
		}
		ctx := t.Context()
		must(s.InsertLattice(WithOnce(ctx, once()), l, true, "anna"))(t)
		must(s.PutAsset(WithOnce(ctx, once()), errReader("x"), "", "anna"))(t)
		must(s.Record(WithOnce(ctx, once()), tr.ID, 1, batch(event(t, "2")), nil))(t)
		must(s.Fire(WithOnce(ctx, once()), tr.ID, 1, fired(es[0], dispatchOf(l))))(t)
		must(s.ReviseTrigger(WithOnce(ctx, once()), tr))(t)
		for _, err := range []error{s.RemoveTrigger(WithOnce(ctx, once()), tr.ID), s.DeleteDispatch(WithOnce(ctx, once()), tr.DispatchID)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"store.Stored", "graph.Asset", "triggers.Recorded", "[]graph.Dispatch", "triggers.Trigger", "store.Deleted", "store.Deleted"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestKeysAreKeptSevenDays(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "s")
	at := func(d time.Duration) Options { return Options{Now: func() time.Time { return now.Add(d) }} }
	s := openAt(t, dir, at(0))
	d := dispatchOf(withLattice(t, s, "x", 1))
	gone := must(s.InsertDispatch(WithOnce(t.Context(), onceFor("k", "b")), d))(t)
	if err := s.DeleteDispatch(t.Context(), cancelled(t, s, gone).ID); err != nil {
		t.Fatal(err)
	}
	seq := s.Seq()
	for _, test := range []struct {
		age  time.Duration
		kept bool
	}{{7*24*time.Hour - time.Minute, true}, {7*24*time.Hour + time.Minute, false}} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, dir, at(test.age))
		if _, found, err := s.Replay(t.Context(), *onceFor("k", "b")); found != test.kept || err != nil {
			t.Errorf("after %v: found %v, %v", test.age, found, err)
		}
		if _, reset, err := s.ChangedSince(t.Context(), 1, 10); reset == test.kept || err != nil {
			t.Errorf("after %v: reset %v, %v", test.age, reset, err)
		}
		if s.Seq() != seq {
			t.Errorf("seq %d, was %d", s.Seq(), seq)
		}
	}
}
