package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// begunWith makes a wide dispatch of which a part is gone, and returns its id.
func begunWith(t *testing.T, s *Store, c *clock) string {
	t.Helper()
	n := wide(t, s)
	ds, _, err := s.Dispatches(t.Context(), DispatchFilter{})
	if err != nil || len(ds) == 0 {
		t.Fatalf("%v %v", ds, err)
	}
	c.pass(day)
	for asked := 1; rows(t, s, "electrons") == n; asked++ {
		if err := breakOff(t, s, asked); err == nil {
			t.Fatal("it was not broken off")
		}
	}
	if left := rows(t, s, "electrons"); left == 0 {
		t.Fatal("nothing of it is left")
	}
	return ds[0].ID
}

// breakOff prunes with a context that ends after it was asked so often.
func breakOff(t *testing.T, s *Store, asked int) error {
	t.Helper()
	_, err := s.Prune(&endsAfter{context.WithoutCancel(t.Context()), asked}, Retention{Age: time.Hour}, false)
	return err
}

// beneath changes the database as nobody else may.
func beneath(t *testing.T, s *Store, q string, args ...any) {
	t.Helper()
	if err := s.change(t.Context(), func(x *tx) error { _, err := x.exec(q, args...); return err }); err != nil {
		t.Fatal(err)
	}
}

// A part of it is gone, and what is left would be of no use to whoever needs it.
func TestPrune_what_was_begun_goes_whatever_is_true_by_then(t *testing.T) {
	for name, needs := range map[string]func(t *testing.T, s *Store, id string){
		"kept": func(t *testing.T, s *Store, id string) {
			beneath(t, s, "UPDATE dispatches SET keep = 1 WHERE id = ?", id)
		},
		"what_a_trigger_redispatches": func(t *testing.T, s *Store, id string) {
			tr, _ := withTrigger(t, s, "late")
			beneath(t, s, "UPDATE triggers SET dispatch_id = ? WHERE id = ?", id, tr.ID)
		},
		"what_a_pending_one_is_made_from": func(t *testing.T, s *Store, id string) {
			child := insert(t, s, dispatchOf(withLattice(t, s, "child", 1)))
			beneath(t, s, "UPDATE dispatches SET parent_id = ? WHERE id = ?", id, child.ID)
		},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				c := &clock{}
				s := openAt(t, t.TempDir()+"/state", c.options(Options{}))
				id := begunWith(t, s, c)
				needs(t, s, id)
				others := rows(t, s, "dispatches") - 1
				if crash {
					s = reopen(t, s)
				}
				if p := must(s.Prune(t.Context(), Retention{}, true))(t); p.Dispatches != 1 {
					t.Errorf("a dry one would remove %d", p.Dispatches)
				}
				if p := must(s.Prune(t.Context(), Retention{}, false))(t); p.Dispatches != 1 || p.Kept != 0 {
					t.Errorf("%+v", p)
				}
				if n := rows(t, s, "dispatches WHERE id = '"+id+"'"); n != 0 || rows(t, s, "dispatches") != others {
					t.Error("it is there still")
				}
				if n := rows(t, s, "meta WHERE key = '"+pruningKey+"'"); n != 0 {
					t.Error("its mark is left")
				}
			})
		}
	}
}

func TestPrune_nobody_comes_to_need_what_is_going(t *testing.T) {
	s, c := openClocked(t)
	seq := s.Seq()
	going := begunWith(t, s, c)
	l := withLattice(t, s, "other", 1)
	tr, _ := withTrigger(t, s, "there")
	ctx := t.Context()
	again := dispatchOf(l)
	again.ParentID = going
	below := dispatchOf(l)
	below.RootID = going
	sweep := sweepOf(t, l, "late", 3, 1)
	sweep[2].ParentID = going
	yes := true
	for what, ask := range map[string]func() error{
		"keep":      func() error { _, err := s.PatchDispatch(ctx, going, DispatchPatch{Keep: &yes}); return err },
		"start":     func() error { _, err := s.StartDispatch(ctx, going); return err },
		"cancel":    func() error { _, _, err := s.RequestCancel(ctx, going); return err },
		"electrons": func() error { _, _, err := s.RequestCancelElectrons(ctx, going, map[int]string{0: "e0"}); return err },
		"again":     func() error { _, err := s.InsertDispatch(ctx, again); return err },
		"below":     func() error { _, err := s.InsertDispatch(ctx, below); return err },
		"sweep":     func() error { _, err := s.InsertSweep(ctx, sweep, true); return err },
		"reuse":     func() error { _, err := s.Fingerprint(ctx, going, 3*pruneElectrons); return err },
		"delete":    func() error { return s.DeleteDispatch(ctx, "1") },
		"revise": func() error {
			late := tr
			late.DispatchID = going
			_, err := s.ReviseTrigger(ctx, late)
			return err
		},
		"trigger": func() error {
			_, err := s.CreateTrigger(ctx, triggers.Trigger{Name: "late", Kind: "time", Spec: []byte(`{}`), DispatchID: going, Owner: "a", CreatedBy: "a", RunAs: "a"})
			return err
		},
	} {
		if err := ask(); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if ds, changed, err := s.RequestCancels(ctx, []string{going}); err != nil || len(ds)+len(changed) > 0 {
		t.Errorf("cancelled with others: %v %v", ds, err)
	}
	if found, n, err := s.Find(ctx, DispatchFilter{Status: []graph.Status{graph.Completed}}, 10, 10); err != nil || len(found) > 0 || n > 0 {
		t.Errorf("%v of %d are found, %v", found, n, err)
	}
	changes, _, err := s.ChangedSince(ctx, seq, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range changes {
		if ch.Kind == "" || ch.ID == going {
			t.Errorf("a follower is told %+v", ch)
		}
	}
}

// The mark is one: what was begun is finished before another is begun.
func TestPrune_two_wide_ones_go_one_after_the_other(t *testing.T) {
	s, c := openClocked(t)
	n := wide(t, s)
	wide(t, s)
	c.pass(day)
	ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Ascending: true})
	if err != nil || len(ds) != 2 {
		t.Fatalf("%v %v", ds, err)
	}
	seen := map[string]bool{}
	for asked, done := 1, false; !done; asked++ {
		done = breakOff(t, s, asked) == nil
		one, two := looks(t, s, ds[0].ID, n), looks(t, s, ds[1].ID, n)
		if seen[one+" "+two] = true; one == "half" || two == "half" {
			t.Fatalf("they show %s and %s", one, two)
		}
		if left := rows(t, s, "dispatches"); two == "gone" && one == "gone" && left == 2 {
			t.Fatal("both are hidden at once")
		}
	}
	delete(seen, "whole whole")
	if !seen["gone whole"] || !seen["gone gone"] || len(seen) != 2 {
		t.Errorf("seen %v", seen)
	}
	wantNothing(t, s)
}

// Between the page that a pruning has read and its first part.
func TestPrune_what_is_needed_before_its_first_part_stays_whole(t *testing.T) {
	s, c := openClocked(t)
	n := wide(t, s)
	c.pass(day)
	p := &pruner{s: s, most: pruneTurn, bounds: must(s.bounds(t.Context(), Retention{Age: time.Hour}))(t)}
	page := must(p.page(t.Context(), 0))(t)
	yes := true
	if _, err := s.PatchDispatch(t.Context(), "1", DispatchPatch{Keep: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.remove(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	if is := looks(t, s, "1", n); is != "whole" || p.out.Dispatches != 0 {
		t.Errorf("it is %s, %+v", is, p.out)
	}
}

// A part that fails leaves what was before it: all of the dispatch, or nothing.
func TestPrune_a_part_of_a_wide_one_that_fails(t *testing.T) {
	for name, test := range map[string]struct{ at, shows string }{
		"the_mark":      {"BEFORE INSERT ON meta WHEN new.key = 'pruning'", "whole"},
		"the_first":     {"BEFORE DELETE ON electrons WHEN old.idx = 7", "whole"},
		"a_later_one":   {"BEFORE DELETE ON electrons WHEN old.idx = 57", "gone"},
		"the_last":      {"BEFORE DELETE ON dispatches", "gone"},
		"the_end_of_it": {"BEFORE DELETE ON meta WHEN old.key = 'pruning'", "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := openClocked(t)
			n := wide(t, s)
			c.pass(day)
			beneath(t, s, "CREATE TRIGGER no "+test.at+" BEGIN SELECT RAISE(ABORT, 'not today'); END")
			for range 2 {
				if _, err := s.Prune(t.Context(), Retention{Age: time.Hour}, false); err == nil {
					t.Fatal("it went on")
				}
				if is := looks(t, s, "1", n); is != test.shows {
					t.Errorf("it is %s", is)
				}
			}
			beneath(t, s, "DROP TRIGGER no")
			if p := must(s.Prune(t.Context(), Retention{Age: time.Hour}, false))(t); p.Dispatches != 1 {
				t.Errorf("%+v", p)
			}
			wantNothing(t, s)
		})
	}
}
