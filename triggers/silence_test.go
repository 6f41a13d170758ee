package triggers_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// state is what people see of the trigger.
func (w *world) state() string {
	w.Helper()
	t, err := w.ledger.Trigger(w.Context(), "t")
	if err != nil {
		w.Fatal(err)
	}
	if live := w.manager.Live(t); live.State != t.State || live.Reason != t.Reason {
		w.Errorf("shown %s %s, stored %s %s", live.State, live.Reason, t.State, t.Reason)
	}
	return strings.TrimSpace(string(t.State) + " " + t.Reason)
}

func (w *world) expectState(want string) {
	w.Helper()
	if got := w.state(); got != want {
		w.Errorf("state %q, want %q", got, want)
	}
}

func TestSilence(t *testing.T) {
	const silent = "failing silent: no event since 2000-01-0"
	t.Run("makes_the_trigger_failing_until_the_next_event", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "26h"`)
			wait(25 * time.Hour)
			w.expectState("active")
			w.happen(1)
			wait(26*time.Hour - time.Second)
			w.expectState("active")
			wait(time.Second)
			w.expectState("failing silent: no event since 2000-01-02T01:00:00Z (expect_every 26h)")
			if s := w.manager.Stats(); s.Silent != 1 || s.States[triggers.Failing] != 1 {
				t.Errorf("%+v", s)
			}
			wait(100 * time.Hour)
			w.happen(1)
			w.expectState("active")
			wait(26 * time.Hour)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
			if s := w.manager.Stats(); s.Silent != 1 {
				t.Errorf("%+v", s)
			}
		})
	})

	t.Run("of_a_trigger_without_expect_every_is_fine", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			wait(200 * time.Hour)
			w.expectState("active")
		})
	})

	t.Run("survives_a_restart_without_telling_twice", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"expect_every": "1h"`)
			wait(30 * time.Minute)
			w.restart()
			wait(30 * time.Minute) // an hour since the registration
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
			before := len(w.ledger.States(tr.ID))
			w.restart()
			wait(time.Hour)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
			for _, s := range w.ledger.States(tr.ID)[before:] {
				if !strings.HasPrefix(s, "failing ") {
					t.Errorf("was %s meanwhile", s)
				}
			}
			w.happen(1)
			w.expectState("active")
		})
	})

	t.Run("leaves_a_source_time_to_find_what_came_while_the_daemon_was_down", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			w.stop()
			wait(10 * time.Hour)
			w.start()
			wait(30 * time.Second)
			w.expectState("active")
			w.happen(1)
			wait(45 * time.Minute)
			w.expectState("active")
			w.stop()
			wait(10 * time.Hour)
			w.start()
			wait(2 * time.Minute)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
		})
	})

	t.Run("is_told_in_time_though_the_clock_was_set_back_while_the_daemon_was_down", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			w.setBack = 1000 * time.Hour
			w.restart()
			wait(59 * time.Minute)
			w.expectState("active")
			wait(2 * time.Minute)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
		})
	})

	t.Run("is_not_expected_of_a_paused_trigger", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			wait(90 * time.Minute)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.expectState("paused")
			wait(10 * time.Hour)
			w.restart()
			w.expectState("paused")
			if _, err := w.manager.Resume(t.Context(), "t", ""); err != nil {
				t.Fatal(err)
			}
			wait(30 * time.Minute)
			w.expectState("active")
			w.restart() // which does not take the pause for silence
			wait(29 * time.Minute)
			w.expectState("active")
			wait(time.Minute)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
		})
	})

	t.Run("begins_anew_with_an_edit", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			wait(2 * time.Hour)
			w.patch(`{"expect_every": "3h"}`)
			w.expectState("active")
			wait(179 * time.Minute)
			w.expectState("active")
			wait(time.Minute)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
			w.patch(`{"expect_every": null}`)
			wait(100 * time.Hour)
			w.expectState("active")
		})
	})

	t.Run("that_could_not_be_paused_is_still_told", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			wait(time.Hour)
			w.ledger.Fail(func(op string) error {
				if op == "SetTriggerState" {
					return errors.New("disk full")
				}
				return nil
			})
			if _, err := w.manager.Pause(t.Context(), "t"); err == nil {
				t.Error("paused")
			}
			w.ledger.Fail(nil)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
		})
	})

	t.Run("comes_after_what_is_worse_and_shows_when_that_is_over", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			w.feed.panics.Store(true)
			w.feed.batches <- triggers.Batch{}
			synctest.Wait()
			if got := w.state(); !strings.Contains(got, "bad weather") {
				t.Error(got)
			}
			w.feed.panics.Store(false)
			wait(time.Hour)
			if got := w.state(); !strings.HasPrefix(got, silent) {
				t.Error(got)
			}
		})
	})
}

func TestRejections(t *testing.T) {
	t.Run("in_a_row_make_the_trigger_degraded_until_something_fires", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n < 10 ? event.path : event.n }}"}`)
			for range 4 {
				w.happen(1)
			}
			w.expectState("active")
			w.happen(1)
			if got := w.state(); !strings.HasPrefix(got, "degraded the last 5 decisions were rejections, the last one for inputs: ") || !strings.Contains(got, "latticed trigger retry t") {
				t.Error(got)
			}
			states := len(w.ledger.States(tr.ID))
			w.happen(4)
			if n := len(w.ledger.States(tr.ID)); n != states {
				t.Error("written for each of them")
			}
			w.happen(1)
			w.expectState("active")
		})
	})

	t.Run("are_forgotten_with_an_edit", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"inputs": {"n": "${{ event.n > 0 ? event.path : event.n }}"}`)
			w.happen(7)
			if got := w.state(); !strings.HasPrefix(got, "degraded") {
				t.Error(got)
			}
			w.patch(right)
			w.expectState("active")
		})
	})

	t.Run("between_skips_count_skips_do_not", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"when": "${{ event.n % 2 == 0 }}", "inputs": {"n": "${{ event.n > 0 ? event.path : event.n }}"}`)
			w.happen(9)
			w.expectState("active")
			w.happen(1)
			if got := w.state(); !strings.HasPrefix(got, "degraded") {
				t.Error(got)
			}
		})
	})
}
