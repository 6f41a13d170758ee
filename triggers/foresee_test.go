package triggers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// TestForesee is about what is decided before events are stored.
func TestForesee(t *testing.T) {
	t.Run("what_is_skipped_among_others_is_stored_with_them", func(t *testing.T) {
		for overlap, want := range map[string]string{
			"skip":         "1:fired:event 2:skipped:overlap 3:skipped:overlap",
			"queue_latest": "1:fired:event 2:skipped:superseded 3:held:overlap",
		} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(fmt.Sprintf(`"overlap": %q, "max_in_flight": 1`, overlap))
				fires := 0
				w.ledger.Fail(func(op string) error {
					if op == "Fire" {
						fires++
					}
					return nil
				})
				w.happen(3)
				if w.expect(tr, want); fires != 0 {
					t.Errorf("%s: %d transactions more", overlap, fires)
				}
			})
		}
	})

	t.Run("an_end_while_events_are_stored_is_heard_of_soon", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 8`)
			w.happen(9)
			meanwhile := func([]triggers.Decision) error {
				w.refuse.Store(nil)
				w.ledger.EndDispatches(tr.ID, 1)
				w.manager.DispatchEnded(tr.ID)
				return nil
			}
			w.refuse.Store(&meanwhile)
			w.happen(1)
			wait(10 * time.Millisecond)
			if n := len(w.ledger.Dispatches(tr.ID)); n != 9 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("an_event_that_comes_twice_at_once_takes_nobodys_place", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "queue_latest", "max_in_flight": 1`)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1), event(2), event(2)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:fired:event 2:held:overlap")
		})
	})

	t.Run("a_pause_is_the_reason_also_beyond_what_memory_holds", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			defer triggers.SetWindow(3)()
			tr := w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				w.happen(1)
			}
			w.expect(tr, "1:held:paused 2:held:paused 3:held:paused 4:held:paused 5:held:paused")
		})
	})

	t.Run("what_a_pause_skips_is_skipped_although_the_ledger_fails_once", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = func(m *triggers.Made) { m.SkipPaused = true }
			tr := w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			full := func([]triggers.Decision) error { return triggertest.ErrFull }
			w.refuse.Store(&full)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1)}}); err == nil {
				t.Fatal("it was taken")
			}
			w.refuse.Store(nil)
			wait(10 * time.Second)
			w.happen(1)
			w.expect(tr, "1:skipped:paused")
		})
	})

	t.Run("what_a_pause_skips_hides_nothing_that_waits_before_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			defer triggers.SetWindow(3)()
			w.made = func(m *triggers.Made) { m.SkipPaused = true }
			tr := w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			for n := range 5 {
				if err := w.emit(triggers.Batch{Events: []triggers.Event{backfilled(n + 1)}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(6)}}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			wait(time.Second)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event 6:skipped:paused")
		})
	})
}
