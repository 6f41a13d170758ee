package triggers_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestOverlap(t *testing.T) {
	// Pain point 25: what comes while all slots are taken is a row, which the end of a
	// dispatch releases.
	t.Run("queue_holds_in_order_and_goes_on_when_dispatches_end", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 2, "inputs": {"n": "${{ event.n }}"}`)
			w.happen(3)
			w.happen(2)
			w.expect(tr, "1:fired:event 2:fired:event 3:held:overlap 4:held:overlap 5:held:overlap")
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:overlap 5:held:overlap")
			w.restart()
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:overlap 5:held:overlap")
			w.end(tr, 2)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event")
		})
	})

	t.Run("several_ends_in_a_row_are_one_transaction", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 8`)
			w.happen(20)
			fires := 0
			w.ledger.Fail(func(op string) error {
				if op == "Fire" {
					fires++
				}
				return nil
			})
			w.end(tr, 1)
			if fires != 0 {
				t.Error("one slot of eight was filled alone")
			}
			w.end(tr, 1) // a quarter is free
			wait(time.Minute)
			w.end(tr, 1)
			wait(10 * time.Millisecond) // nobody else ends
			if n := len(w.ledger.Dispatches(tr.ID)); n != 11 || fires != 2 {
				t.Errorf("%d dispatches in %d transactions", n, fires)
			}
		})
	})

	t.Run("what_waits_goes_before_what_comes_while_slots_become_free", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 12`)
			w.happen(13)
			w.end(tr, 2) // the gate waits a little for a third
			w.happen(1)
			if got := w.firings(tr); len(got) != 14 || got[12] != "13" || got[13] != "14" {
				t.Errorf("fired %v", got)
			}
		})
	})

	t.Run("an_end_while_others_are_decided_is_not_lost", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 4`)
			w.happen(6)
			meanwhile := func([]triggers.Decision) error {
				w.refuse.Store(nil)
				w.ledger.EndDispatches(tr.ID, 1)
				w.manager.DispatchEnded(tr.ID)
				return nil
			}
			w.refuse.Store(&meanwhile)
			w.end(tr, 1)
			if n := len(w.ledger.Dispatches(tr.ID)); n != 6 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	// Pain point 44: slots are counted by what is not over, not by what was told.
	t.Run("an_end_that_nobody_told_of_costs_time_only", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			w.happen(2)
			w.ledger.EndDispatches(tr.ID, 1)
			wait(time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event")
		})
	})

	t.Run("skip_skips_nothing_while_there_are_slots", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "skip", "max_in_flight": 2`)
			w.happen(1)
			w.end(tr, 1)
			w.happen(2)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
		})
	})

	t.Run("skip_skips_while_one_runs", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "skip", "max_in_flight": 1`)
			w.happen(2)
			w.end(tr, 1)
			w.happen(1)
			w.expect(tr, "1:fired:event 2:skipped:overlap 3:fired:event")
		})
	})

	// Pain point 24: without batches, each event is a dispatch, however fast they come.
	t.Run("allow_fires_all", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "allow"`)
			w.happen(40)
			if n := len(w.ledger.Dispatches(tr.ID)); n != 40 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("a_backlog_larger_than_memory_drains_in_order", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 100, "inputs": {"n": "${{ event.n }}"}`)
			for range 10 {
				w.happen(500)
			}
			for w.ledger.EndDispatches(tr.ID, 70) > 0 {
				w.manager.DispatchEnded(tr.ID) // one of many: the gate waits a little for the others
				wait(10 * time.Millisecond)
			}
			ds := w.ledger.Dispatches(tr.ID)
			if len(ds) != 5000 {
				t.Fatalf("%d dispatches", len(ds))
			}
			for i, d := range ds {
				var in struct{ N int }
				if err := json.Unmarshal(d.Inputs, &in); err != nil || in.N != i+1 {
					t.Fatalf("dispatch %d has %s", i+1, d.Inputs)
				}
			}
			if s := w.manager.Stats(); s.Held != 0 || s.Events["made"] != 5000 {
				t.Errorf("stats %+v", s)
			}
		})
	})
}

func TestBatch(t *testing.T) {
	t.Run("fires_when_full_and_after_wait", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"batch": {"size": 3, "wait": "5m"}, "inputs": {"n": "${{ len(events) }}", "path": "${{ events[0].path }}"}`)
			w.happen(2)
			wait(4 * time.Minute)
			w.expect(tr, "1:held:batch 2:held:batch")
			w.happen(2)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:batch")
			wait(5 * time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event")
			if got := w.inputs(tr); got != `{"n":3,"path":"/in/1"} {"n":1,"path":"/in/4"}` {
				t.Error(got)
			}
			if f := w.ledger.Firings(tr.ID)[0]; len(f.EventIDs) != 3 || len(f.DispatchIDs) != 1 {
				t.Errorf("firing %+v", f)
			}
		})
	})

	t.Run("fires_whole_however_little_memory_holds", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			defer triggers.SetWindow(3)()
			tr := w.add(`"batch": {"size": 5, "wait": "5m"}`)
			for range 5 {
				w.happen(1)
			}
			if got := w.firings(tr); len(got) != 1 || got[0] != "1+2+3+4+5" {
				t.Errorf("fired %v", got)
			}
		})
	})

	t.Run("wait_counts_on_over_a_restart", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"batch": {"size": 3, "wait": "5m"}`)
			w.happen(1)
			wait(3 * time.Minute)
			w.restart()
			wait(3 * time.Minute)
			w.expect(tr, "1:fired:event")
		})
	})

	t.Run("wait_ends_although_the_clock_was_set_back_before_a_restart", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"batch": {"size": 3, "wait": "5m"}`)
			e := event(1)
			e.ID, e.At = "late", time.Now().Add(24*time.Hour)
			if _, err := w.ledger.Record(t.Context(), tr.ID, tr.Revision, triggers.Batch{Events: []triggers.Event{e}}, nil); err != nil {
				t.Fatal(err)
			}
			w.restart()
			w.expect(tr, "1:held:batch")
			wait(5 * time.Minute)
			w.expect(tr, "1:fired:event")
		})
	})
}

func TestPause(t *testing.T) {
	t.Run("holds_and_asks_what_to_do_with_the_backlog", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			if p, err := w.manager.Pause(t.Context(), "t"); err != nil || p.State != triggers.Paused {
				t.Fatal(p.State, err)
			}
			w.happen(2)
			w.expect(tr, "1:held:paused 2:held:paused")
			w.restart()
			_, err := w.manager.Resume(t.Context(), "t", "")
			var conflict *triggers.ConflictError
			if !errors.As(err, &conflict) || conflict.Code != "backlog_required" {
				t.Fatal(err)
			}
			p, err := w.manager.Resume(t.Context(), "t", "fire")
			if err != nil || p.State != triggers.Active {
				t.Fatal(p.State, err)
			}
			synctest.Wait()
			w.expect(tr, "1:fired:event 2:fired:event")
		})
	})

	t.Run("skip_ends_the_backlog_however_long", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				w.happen(500)
			}
			if _, err := w.manager.Resume(t.Context(), "t", "skip"); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			if got := w.states(tr); strings.Count(got, ":skipped:backlog_skipped") != 2500 || !strings.HasSuffix(got, "2501:fired:event") {
				t.Error(got[len(got)-100:])
			}
		})
	})

	t.Run("stays_as_it_is_when_the_ledger_refuses", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			refuse := func(op string) error {
				if op == "SetTriggerState" {
					return triggertest.ErrFull
				}
				return nil
			}
			tr := w.add(``)
			w.ledger.Fail(refuse)
			if _, err := w.manager.Pause(t.Context(), "t"); !errors.Is(err, triggertest.ErrFull) {
				t.Error(err)
			}
			w.happen(1)
			w.ledger.Fail(nil)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.ledger.Fail(refuse)
			if _, err := w.manager.Resume(t.Context(), "t", ""); !errors.Is(err, triggertest.ErrFull) {
				t.Error(err)
			}
			w.happen(1)
			w.expect(tr, "1:fired:event 2:held:paused")
		})
	})

	t.Run("without_a_backlog_resume_asks_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			for range 2 {
				if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if p, err := w.manager.Resume(t.Context(), "t", ""); err != nil || p.State != triggers.Active {
					t.Fatal(p.State, err)
				}
			}
			if _, err := w.manager.Resume(t.Context(), "t", "maybe"); err == nil {
				t.Error("maybe is not an answer")
			}
		})
	})
}
