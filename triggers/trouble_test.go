package triggers_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestTrouble(t *testing.T) {
	t.Run("a_panic_of_one_source_is_its_own", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.feed.panics.Store(true)
			w.feed.batches <- triggers.Batch{}
			synctest.Wait()
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Failing || !strings.Contains(got.Reason, "bad weather") {
				t.Errorf("%s %s", got.State, got.Reason)
			}
			w.feed.panics.Store(false)
			wait(time.Second)
			w.happen(1)
			w.expect(tr, "1:fired:event")
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
		})
	})

	t.Run("a_full_disk_shows_and_passes", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.ledger.Fail(func(op string) error {
				if op == "Record" || op == "SetTriggerState" || op == "Fire" {
					return triggertest.ErrFull
				}
				return nil
			})
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1)}}); !errors.Is(err, triggertest.ErrFull) {
				t.Fatal(err)
			}
			stored, _ := w.ledger.Trigger(t.Context(), "t")
			if live := w.manager.Live(stored); live.State != triggers.Failing || !strings.Contains(live.Reason, "full") {
				t.Errorf("%s %s", live.State, live.Reason)
			}
			w.ledger.Fail(nil)
			wait(10 * time.Second)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:fired:event")
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active || got.Reason != "" {
				t.Errorf("%s %s", got.State, got.Reason)
			}
		})
	})

	t.Run("an_answer_that_got_lost_doubles_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			lose := map[string]int{"Record": 1, "Fire": 2}
			w.ledger.FailAfter(func(op string) error {
				if lose[op]--; lose[op] >= 0 {
					return errors.New("connection lost")
				}
				return nil
			})
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1), event(2), event(3)}}); err == nil {
				t.Fatal("no error")
			}
			for range 3 {
				wait(10 * time.Second)
				w.end(tr, 1)
			}
			wait(10 * time.Second)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
			if n := len(w.ledger.Dispatches(tr.ID)); n != 3 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("a_ledger_that_fails_once_at_each_step_loses_and_doubles_nothing", func(t *testing.T) {
		for _, op := range []string{"Record", "Fire", "Window", "Counts", "Fired", "Cursor", "SetTriggerState", "Lattice"} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(`"max_in_flight": 1, "dedupe_key": "${{ event.n }}"`)
				calls := 0
				w.ledger.Fail(func(did string) error {
					if did == op {
						if calls++; calls%3 == 1 {
							return triggertest.ErrFull
						}
					}
					return nil
				})
				for n := 1; n <= 4; n++ {
					for w.emit(triggers.Batch{Events: []triggers.Event{event(n)}}) != nil {
						wait(10 * time.Second)
					}
				}
				w.ledger.Fail(nil)
				for range 4 {
					wait(10 * time.Second)
					w.end(tr, 1)
				}
				w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event")
				if n := len(w.ledger.Dispatches(tr.ID)); n != 4 {
					t.Errorf("%s: %d dispatches", op, n)
				}
			})
		}
	})

	t.Run("a_source_that_ends_is_run_again_with_backoff", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.ledger.Fail(func(op string) error {
				if op == "Cursor" {
					return triggertest.ErrFull
				}
				return nil
			})
			w.feed.panics.Store(true)
			w.feed.batches <- triggers.Batch{}
			wait(10 * time.Minute)
			w.ledger.Fail(nil)
			w.feed.panics.Store(false)
			wait(2 * time.Minute)
			if n := w.feed.runs.Load(); n != 2 {
				t.Errorf("%d runs", n)
			}
			if s := w.manager.Stats(); s.States[triggers.Active] != 1 {
				t.Errorf("states %v", s.States)
			}
		})
	})
}
