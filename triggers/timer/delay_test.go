package timer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// ends ends what a trigger runs.
func (w *world) ends(id string) {
	w.ledger.EndDispatches(id, 1000)
	w.manager.DispatchEnded(id)
	synctest.Wait()
}

// pain point 42: so long after the last run has ended.
func TestAfterCompletion(t *testing.T) {
	const fields = `"every":"10m","after":"completion"`

	t.Run("waits_for_the_end_and_then_as_long_as_it_says", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(fields)
			if want := time.Now().Add(10 * time.Minute); !tr.NextAt.Equal(want) {
				t.Errorf("next at %v", tr.NextAt)
			}
			wait(10 * time.Minute)
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 fired event")
			wait(3 * time.Hour) // it runs so long
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 fired event")
			if got, err := w.ledger.Trigger(t.Context(), "t"); err != nil || !got.NextAt.IsZero() {
				t.Errorf("next at %v although it runs, %v", got.NextAt, err)
			}
			w.ends(tr.ID)
			if got, err := w.ledger.Trigger(t.Context(), "t"); err != nil || !got.NextAt.Equal(time.Now().Add(10*time.Minute)) {
				t.Errorf("next at %v, %v", got.NextAt, err)
			}
			wait(10*time.Minute - time.Second)
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 fired event")
			wait(time.Second)
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 fired event", "2000-01-01T03:20:00Z 0 fired event")
		})
	})

	t.Run("nobody_is_told_of_a_next_one_while_what_was_fired_by_hand_runs", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(fields)
			wait(time.Minute)
			if _, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			wait(time.Hour)
			if got, err := w.ledger.Trigger(t.Context(), "t"); err != nil || !got.NextAt.IsZero() {
				t.Errorf("next at %v, %v", got.NextAt, err)
			}
			w.ends(tr.ID)
			if got, err := w.ledger.Trigger(t.Context(), "t"); err != nil || !got.NextAt.Equal(time.Now().Add(10*time.Minute)) {
				t.Errorf("next at %v, %v", got.NextAt, err)
			}
		})
	})

	t.Run("a_restart_forgets_neither_the_end_nor_that_it_runs", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(fields)
			wait(10 * time.Minute)
			w.stop()
			wait(time.Hour)
			w.start()
			wait(time.Minute)
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 fired event") // it still runs
			w.ends(tr.ID)                                        // at 01:11
			wait(5 * time.Minute)
			w.stop()
			wait(2 * time.Minute)
			w.start()
			sleepTo(t, "2000-01-01T01:20:59Z")
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 fired event")
			wait(time.Second)
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 fired event", "2000-01-01T01:21:00Z 0 fired event")
		})
	})

	t.Run("after_a_downtime_it_ticks_once", func(t *testing.T) {
		for catchUp, want := range map[string]string{"last": "2000-01-01T00:10:00Z 0 fired event", "none": "2000-01-01T00:10:00Z 0 skipped catch_up"} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(fields + `,"catch_up":"` + catchUp + `"`)
				w.stop()
				wait(5 * time.Hour)
				w.start()
				wait(9 * time.Minute)
				w.tells(tr.ID, want)
				w.ends(tr.ID)
				wait(10 * time.Minute)
				if n := len(w.told(tr.ID)); n != 2 {
					t.Errorf("%v", w.told(tr.ID))
				}
			})
		}
	})

	t.Run("a_tick_that_makes_no_dispatch_is_followed_by_the_next", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(fields + `,"when":"${{ event.missed > 5 }}"`)
			wait(31 * time.Minute)
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 skipped condition", "2000-01-01T00:20:00Z 0 skipped condition", "2000-01-01T00:30:00Z 0 skipped condition")
		})
	})

	t.Run("a_pause_holds_one_tick", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(fields)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			wait(5 * time.Hour)
			w.tells(tr.ID, "2000-01-01T00:10:00Z 0 held paused")
			if _, err := w.manager.Resume(t.Context(), "t", "skip"); err != nil {
				t.Fatal(err)
			}
			wait(10*time.Minute + recheck)
			if got := w.told(tr.ID); len(got) != 2 || got[0] != "2000-01-01T00:10:00Z 0 skipped backlog_skipped" {
				t.Errorf("%v", got)
			}
		})
	})

	t.Run("an_end_while_the_clock_was_ahead_does_not_stop_it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			made, err := triggers.Make(Kind, map[string]any{"every": "10m", "after": "completion"})
			if err != nil {
				t.Fatal(err)
			}
			l := &loop{T: t, source: made.Source, runs: triggers.Runs{LastEnd: time.Now().AddDate(30, 0, 0)}}
			l.until(time.Now().Add(35 * time.Minute))
			if len(l.keys) != 3 || l.keys[0] != "2000-01-01T00:10:00.000000Z" {
				t.Errorf("%v", l.keys)
			}
		})
	})
}
