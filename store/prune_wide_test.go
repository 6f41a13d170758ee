package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// looks is what readers find of a dispatch: whole, gone, or something between.
func looks(t *testing.T, s *Store, id string, electrons int) string {
	t.Helper()
	_, es, err := s.Shown(t.Context(), id, 500)
	switch {
	case errors.Is(err, ErrNotFound):
		return "gone"
	case err != nil:
		t.Fatal(err)
	}
	for _, e := range es {
		if e.Status != graph.Completed {
			return "half"
		}
	}
	if len(es) != electrons {
		return "half"
	}
	return "whole"
}

// A wide dispatch goes in parts. Who looks meanwhile, or after a crash between two of them,
// sees all of it or nothing.
func TestPrune_shows_a_wide_dispatch_whole_or_not_at_all(t *testing.T) {
	c := &clock{}
	s := openAt(t, t.TempDir()+"/state", c.options(Options{}))
	n := wide(t, s)
	ds, _, err := s.Dispatches(t.Context(), DispatchFilter{})
	if err != nil || len(ds) != 1 {
		t.Fatalf("%v %v", ds, err)
	}
	id := ds[0].ID
	c.pass(day)

	stop := make(chan struct{})
	seen := make(chan map[string]int, 1)
	go func() {
		found := map[string]int{}
		for {
			select {
			case <-stop:
				seen <- found
				return
			default:
				found[looks(t, s, id, n)]++
			}
		}
	}()
	for asked := 1; rows(t, s, "electrons") == n; asked++ {
		if _, err := s.Prune(&endsAfter{context.WithoutCancel(t.Context()), asked}, Retention{Age: time.Hour}, false); err == nil {
			t.Fatal("it was not broken off")
		}
	}
	if left := rows(t, s, "electrons"); left == 0 || left == n {
		t.Fatalf("%d electrons are left", left)
	}
	gone := func(s *Store) {
		t.Helper()
		if what := looks(t, s, id, n); what != "gone" {
			t.Errorf("it shows %s", what)
		}
		if ds, _, err := s.Dispatches(t.Context(), DispatchFilter{}); err != nil || len(ds) > 0 {
			t.Errorf("it is in the list: %v %v", ds, err)
		}
		if found, _, err := s.Find(t.Context(), DispatchFilter{}, 10, 10); err != nil || len(found) > 0 {
			t.Errorf("it is found: %v %v", found, err)
		}
		if _, _, err := s.Standing(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("it stands: %v", err)
		}
		if _, err := s.Electron(t.Context(), "1", "e0"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an electron of it is there: %v", err)
		}
		if err := s.DeleteDispatch(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("it can be deleted: %v", err)
		}
		if _, err := s.CreateTrigger(t.Context(), triggers.Trigger{Name: "late", Kind: "time", Spec: []byte(`{}`), DispatchID: id, Owner: "a", CreatedBy: "a", RunAs: "a"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a trigger takes it: %v", err)
		}
	}
	gone(s)
	close(stop)
	if found := <-seen; found["half"] > 0 || found["whole"] == 0 {
		t.Errorf("meanwhile it was seen %v", found)
	}
	s = reopen(t, s) // as after a crash
	gone(s)
	dir := backedUp(t, s)
	if _, err := Verify(t.Context(), dir); err != nil {
		t.Errorf("a backup of it: %v", err)
	}
	if p := must(s.Prune(t.Context(), Retention{}, false))(t); p.Dispatches != 1 {
		t.Errorf("the next pruning: %+v", p)
	}
	wantNothing(t, s)
}
