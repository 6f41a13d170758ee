package store

import (
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
)

func TestEnded(t *testing.T) {
	ended := func(t *testing.T, s *Store, after int64) (ids []string, place int64) {
		t.Helper()
		ends, place, err := s.Ends(t.Context(), after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range must(s.Ended(t.Context(), ends))(t) {
			ids = append(ids, e.ID)
		}
		return ids, place
	}

	t.Run("what_is_changed_after_its_end_does_not_come_again", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		first, second := insert(t, s, dispatchOf(l)), insert(t, s, dispatchOf(l))
		for _, d := range []graph.Dispatch{first, second} {
			advance(t, s, graph.Step{Dispatch: d.ID, Begin: s.o.Now()})
			advance(t, s, graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Failed}})
		}
		_, place := ended(t, s, 0)
		note := "looked at"
		if _, err := s.PatchDispatch(t.Context(), first.ID, DispatchPatch{Note: &note}); err != nil {
			t.Fatal(err)
		}
		if ids, next := ended(t, s, place); len(ids) != 0 || next != place {
			t.Errorf("%q came again, then %d", ids, next)
		}
		if ids, _ := ended(t, s, 0); len(ids) != 2 || ids[0] != first.ID {
			t.Errorf("the order is %q, not that of the ends", ids)
		}
	})

	t.Run("a_new_one_that_is_cancelled_has_ended_too", func(t *testing.T) {
		s := openNew(t)
		d := dispatchOf(withLattice(t, s, "x", 1))
		d.Status = graph.New
		d = insert(t, s, d)
		if _, _, err := s.RequestCancel(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		if ids, _ := ended(t, s, 0); len(ids) != 1 || ids[0] != d.ID {
			t.Errorf("%q", ids)
		}
	})

	t.Run("what_followed_is_found_by_trigger_and_key", func(t *testing.T) {
		s := openNew(t)
		q := strings.ReplaceAll(strings.Replace(selectEvents+followed, "e.key = ?", "e.key = 'k'", 1), "LIMIT ?", "LIMIT 5")
		if p := plan(t, s, q); strings.Contains(p, "SCAN e") || !strings.Contains(p, "(trigger=? AND key=?)") {
			t.Error(p)
		}
	})

	t.Run("the_ends_are_read_along_an_index", func(t *testing.T) {
		s := openNew(t)
		for _, q := range []string{strings.ReplaceAll(endsFrom, "?", "5"), lastEnded} {
			if p := plan(t, s, q); strings.Contains(p, "TEMP B-TREE") || !strings.Contains(p, "dispatches_ended") {
				t.Errorf("%s: %s", q, p)
			}
		}
	})
}
