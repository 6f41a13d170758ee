package triggers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestQueueLatest(t *testing.T) {
	t.Run("holds_the_latest_only", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "queue_latest", "max_in_flight": 1`)
			w.happen(1)
			w.happen(1)
			w.expect(tr, "1:fired:event 2:held:overlap")
			w.happen(3) // at once, and one after the other, is the same
			w.happen(1)
			w.expect(tr, "1:fired:event 2:skipped:superseded 3:skipped:superseded 4:skipped:superseded 5:skipped:superseded 6:held:overlap")
			w.restart()
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:skipped:superseded 3:skipped:superseded 4:skipped:superseded 5:skipped:superseded 6:fired:event")
		})
	})

	t.Run("what_can_not_run_takes_nobodys_place", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "queue_latest", "max_in_flight": 1, "inputs": {"n": "${{ event.n == 3 ? event.path : event.n }}"}`)
			for range 3 {
				w.happen(1)
			}
			w.expect(tr, "1:fired:event 2:held:overlap 3:rejected:inputs")
		})
	})

	t.Run("a_known_event_in_the_batch_takes_nobodys_place", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "queue_latest", "max_in_flight": 1`)
			w.happen(1)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(2), event(1)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:fired:event 2:held:overlap")
		})
	})

	t.Run("a_backlog_larger_than_memory_leaves_the_latest", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "queue_latest", "max_in_flight": 1`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				w.happen(500)
			}
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			wait(time.Minute)
			if got := w.states(tr); strings.Count(got, ":skipped:superseded") != 2998 || !strings.HasPrefix(got, "1:fired") || !strings.HasSuffix(got, "3000:held:overlap") {
				t.Error(got[len(got)-100:])
			}
		})
	})
}

// TestReplace is one answer to pain point 44: what hangs makes room for the next.
func TestReplace(t *testing.T) {
	t.Run("asks_what_runs_to_end_and_waits_for_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "replace", "max_in_flight": 1`)
			w.happen(1)
			w.ledger.BeginDispatches(tr.ID, 1)
			w.happen(1)
			w.expect(tr, "1:fired:event 2:held:replacing")
			first := w.ledger.Dispatches(tr.ID)[0]
			if fmt.Sprint(w.asked) != fmt.Sprint([]string{first.ID}) || first.CancelRequestedAt.IsZero() {
				t.Errorf("asked %v", w.asked)
			}
			w.happen(2)
			w.expect(tr, "1:fired:event 2:skipped:superseded 3:skipped:superseded 4:held:replacing")
			w.restart()
			wait(time.Hour)
			if len(w.asked) != 1 || len(w.ledger.Dispatches(tr.ID)) != 1 {
				t.Errorf("asked %v", w.asked)
			}
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:skipped:superseded 3:skipped:superseded 4:fired:event")
		})
	})

	t.Run("what_has_not_begun_is_replaced_at_once", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "replace", "max_in_flight": 1`)
			for range 5 {
				w.happen(1)
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event")
			if len(w.asked) != 4 || w.ledger.EndDispatches(tr.ID, 10) != 1 {
				t.Errorf("asked %v", w.asked)
			}
		})
	})

	t.Run("with_several_slots_the_newest_have_them", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "replace", "max_in_flight": 3`)
			w.happen(2)
			w.ledger.BeginDispatches(tr.ID, 2)
			w.happen(2) // one has a slot, the other takes that of the oldest
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:replacing")
			w.happen(4)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:skipped:superseded 5:skipped:superseded 6:fired:event 7:held:replacing 8:held:replacing")
		})
	})

	t.Run("what_somebody_has_asked_to_end_is_waited_for", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "replace", "max_in_flight": 2`)
			w.happen(2)
			w.ledger.BeginDispatches(tr.ID, 2)
			if _, err := w.ledger.Fire(t.Context(), tr.ID, tr.Revision, []triggers.Decision{{Cancel: 1}}); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			w.expect(tr, "1:fired:event 2:fired:event 3:held:replacing")
			if len(w.asked) != 0 {
				t.Errorf("asked %v, too", w.asked)
			}
		})
	})

	t.Run("what_is_fired_by_hand_meanwhile_is_asked_to_end_at_once", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "replace", "max_in_flight": 1`)
			w.happen(1)
			w.ledger.BeginDispatches(tr.ID, 1)
			w.happen(1)
			if _, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(w.asked) != 2 {
				t.Errorf("asked %v", w.asked)
			}
		})
	})

	t.Run("what_a_backfill_or_somebody_has_started_is_replaced_as_well", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "replace", "max_in_flight": 1`)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{backfilled(1), backfilled(2)}}); err != nil {
				t.Fatal(err)
			}
			w.ledger.BeginDispatches(tr.ID, 1)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(3)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:fired:event 2:held:overlap 3:held:replacing")
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:held:overlap 3:fired:event") // the latest event has the slot
			w.end(tr, 1)
			if _, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(4)}}); err != nil {
				t.Fatal(err)
			}
			if got := w.states(tr); !strings.HasSuffix(got, "4:fired:event") || len(w.asked) != 3 {
				t.Errorf("%s, asked %v", got, w.asked)
			}
		})
	})

	t.Run("what_can_not_run_ends_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "replace", "max_in_flight": 1, "inputs": {"n": "${{ event.n == 2 ? event.path : event.n }}"}`)
			w.happen(1)
			w.happen(1)
			w.expect(tr, "1:fired:event 2:rejected:inputs")
			if len(w.asked) != 0 {
				t.Errorf("asked %v", w.asked)
			}
		})
	})
}

// TestRate has an answer to pain point 43: what the rate holds back says so.
func TestRate(t *testing.T) {
	t.Run("holds_what_is_too_much_and_goes_on_when_it_may", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"rate": "2/10m", "overlap": "allow"`)
			w.happen(1)
			wait(4 * time.Minute)
			w.happen(4)
			w.expect(tr, "1:fired:event 2:fired:event 3:held:rate 4:held:rate 5:held:rate")
			wait(6 * time.Minute) // ten after the first
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:rate 5:held:rate")
			w.restart()
			wait(3 * time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:rate 5:held:rate")
			wait(time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:held:rate")
			wait(6 * time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event")
		})
	})

	t.Run("by_hand_is_neither_held_nor_counted", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"rate": "1/1h"`)
			for range 3 {
				if _, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{}); err != nil {
					t.Fatal(err)
				}
			}
			w.restart()
			w.happen(2)
			if got := w.states(tr); !strings.HasSuffix(got, "1:fired:event 2:held:rate") {
				t.Error(got)
			}
		})
	})

	t.Run("with_queue_latest_the_latest_waits_for_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"rate": "1/1h", "overlap": "queue_latest"`)
			for range 4 {
				w.happen(1)
			}
			w.expect(tr, "1:fired:event 2:skipped:superseded 3:skipped:superseded 4:held:rate")
			wait(time.Hour)
			w.expect(tr, "1:fired:event 2:skipped:superseded 3:skipped:superseded 4:fired:event")
		})
	})

	t.Run("an_edit_counts_from_the_next_look_on", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"rate": "1/1h"`)
			w.happen(3)
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"rate": "2/1h"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.expect(tr, "1:fired:event 2:fired:event 3:held:rate")
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"rate": null}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
		})
	})
}

// backfilled is an event as a backfill makes it.
func backfilled(n int) triggers.Event {
	e := event(n)
	e.Payload = json.RawMessage(fmt.Sprintf(`{"path":"/in/%d","n":%d,"backfill":true}`, n, n))
	return e
}

func TestBackfilledEvents(t *testing.T) {
	t.Run("queue_whatever_the_policy_is", func(t *testing.T) {
		for _, overlap := range []string{"skip", "queue_latest", "replace"} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(fmt.Sprintf(`"overlap": %q, "max_in_flight": 1`, overlap))
				if err := w.emit(triggers.Batch{Events: []triggers.Event{backfilled(1), backfilled(2), backfilled(3)}}); err != nil {
					t.Fatal(err)
				}
				w.expect(tr, "1:fired:event 2:held:overlap 3:held:overlap")
				w.end(tr, 1)
				w.end(tr, 1)
				w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
			})
		}
	})

	t.Run("are_throttled_where_nothing_else_is", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "allow"`)
			var b triggers.Batch
			for n := range 40 {
				b.Events = append(b.Events, backfilled(n+1))
			}
			if err := w.emit(b); err != nil {
				t.Fatal(err)
			}
			if n := len(w.ledger.Dispatches(tr.ID)); n != 16 {
				t.Errorf("%d dispatches", n)
			}
			for w.ledger.EndDispatches(tr.ID, 4) > 0 {
				w.manager.DispatchEnded(tr.ID)
				wait(10 * time.Millisecond)
			}
			if n := len(w.ledger.Dispatches(tr.ID)); n != 40 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("let_what_happens_now_go_first", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{backfilled(1), backfilled(2), event(3)}}); err != nil {
				t.Fatal(err)
			}
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:held:overlap 3:fired:event")
		})
	})

	t.Run("are_held_by_a_pause_that_skips_and_are_not_too_late", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = func(m *triggers.Made) {
				m.SkipPaused = true
				m.Judge = func(map[string]any, time.Time) triggers.Judgement {
					return triggers.Judgement{Skip: triggers.ReasonWindow}
				}
			}
			tr := w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1), backfilled(2)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:skipped:paused 2:held:paused")
			w.restart()
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			wait(time.Second)
			w.happen(2)
			w.expect(tr, "1:skipped:paused 2:fired:event")
		})
	})
}
