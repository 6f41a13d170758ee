package chain

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// asked counts what is read of ends in the ledger.
type asked struct{ ends, ended atomic.Int64 }

func (a *asked) in(w *world) *asked {
	w.ledger.Fail(func(op string) error {
		switch op {
		case "Ends":
			a.ends.Add(1)
		case "Ended":
			a.ended.Add(1)
		}
		return nil
	})
	return a
}

// many adds triggers that follow what doesn't happen, and some that do.
func (w *world) many(n int, of string) triggers.Trigger {
	w.Helper()
	for i := range n {
		w.add(fmt.Sprint("other-", i), "report", fmt.Sprintf(`"of": {"lattice": "other-%d"}`, i))
	}
	tr, _ := w.add("t", "report", of)
	return tr
}

func TestMany(t *testing.T) {
	for name, of := range map[string]string{
		"lattice": `"of": {"lattice": "scan"}`,
		"label":   `"of": {"label": {"site": "roof"}}`,
		"failed":  `"of": {"lattice": "scan", "label": {"site": "roof"}, "status": ["failed", "completed"]}`,
	} {
		t.Run("an_end_wakes_only_those_that_follow_it/"+name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				const ends = 20
				tr := w.many(50, `"overlap": "allow", `+of)
				w.end("fit", graph.Completed, nil) // the first end after a start is told to all
				a := new(asked).in(w)
				for range ends {
					w.end("fit", graph.Completed, nil)
					w.end("scan", graph.Completed, func(d *graph.Dispatch) { d.Labels = map[string]string{"site": "roof"} })
				}
				if n := len(w.ledger.Events(tr.ID)); n != ends {
					t.Errorf("%d of %d ends", n, ends)
				}
				if got := a.ended.Load(); got != ends {
					t.Errorf("%d times read what a dispatch was, for %d ends", got, ends)
				}
				if got := a.ends.Load(); got > 3*2*ends {
					t.Errorf("%d times read what has ended, for %d ends", got, 2*ends)
				}
			})
		})
	}

	t.Run("an_end_that_nobody_was_told_of_is_found_later_and_read_once_for_all", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr := w.many(50, `"of": {"lattice": "scan"}`)
			a := new(asked).in(w)
			d := w.ledger.AddDispatch(graph.Dispatch{ID: "silent", LatticeName: "scan", Status: graph.Running})
			w.ledger.SetDispatch(d.ID, graph.Completed)
			wait(recheck)
			w.expect(tr, "1:fired:event")
			if got := a.ended.Load(); got != 1 {
				t.Errorf("%d times read what a dispatch was", got)
			}
		})
	})

	t.Run("those_that_nothing_concerns_begin_where_the_others_are_after_a_start", func(t *testing.T) {
		inBubble(t, func(w *world) {
			const ends = ahead + 1000
			tr := w.many(20, `"of": {"lattice": "scan"}`)
			for i := range ends {
				d := w.ledger.AddDispatch(graph.Dispatch{ID: fmt.Sprint("d", i), LatticeName: "fit", Status: graph.Running})
				w.ledger.SetDispatch(d.ID, graph.Completed)
			}
			before := w.ledger.Records()
			wait(recheck)
			if n := w.ledger.Records() - before; n != 21 {
				t.Errorf("%d of 21 have stored how far they are", n)
			}
			w.stop()
			a := new(asked).in(w)
			w.start()
			if got := a.ends.Load(); got > 2*21 {
				t.Errorf("%d times read what has ended", got)
			}
			w.end("scan", graph.Completed, nil)
			w.expect(tr, fmt.Sprint(ends+1, ":fired:event"))
		})
	})

	t.Run("one_that_is_added_edited_or_removed_meanwhile_misses_nothing_and_gets_nothing_else", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr := w.many(3, `"of": {"lattice": "scan"}, "overlap": "allow"`)
			w.end("scan", graph.Completed, nil)
			late, _ := w.add("late", "report", `"of": {"lattice": "scan"}`)
			w.end("scan", graph.Completed, nil)
			if _, _, err := w.manager.Patch(w.Context(), "t", []byte(`{"of": {"lattice": "fit"}}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.end("scan", graph.Completed, nil)
			w.end("fit", graph.Completed, nil)
			if err := w.manager.Remove(w.Context(), "late"); err != nil {
				t.Fatal(err)
			}
			w.end("scan", graph.Completed, nil)
			var at []int64
			for _, trigger := range []triggers.Trigger{tr, late} {
				for _, e := range w.ledger.Events(trigger.ID) {
					d, err := w.ledger.Dispatch(w.Context(), e.Key)
					if err != nil {
						t.Fatal(err)
					}
					at = append(at, d.Number)
				}
			}
			if got := fmt.Sprint(len(w.ledger.Events(tr.ID)), len(w.ledger.Events(late.ID))); got != "3 2" {
				t.Errorf("%s events, of %d", got, at)
			}
		})
	})
}
