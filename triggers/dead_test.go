package triggers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// poison makes the ledger refuse dispatches of one event, as if they were too large.
func (w *world) poison(n int) {
	refuse := func(ds []triggers.Decision) error {
		for _, d := range ds {
			for _, dispatch := range d.Dispatches {
				if strings.Contains(string(dispatch.Inputs), fmt.Sprintf(`"n":%d,`, n)) {
					return errors.New("string or blob too big")
				}
			}
		}
		return nil
	}
	w.refuse.Store(&refuse)
}

// settle emits a batch until it is taken, as a source does.
func (w *world) settle(es ...triggers.Event) {
	w.Helper()
	for range 5 {
		if w.emit(triggers.Batch{Events: es}) == nil {
			return
		}
		wait(10 * time.Second)
	}
	w.Fatal("the batch was never taken")
}

func TestDead(t *testing.T) {
	t.Run("what_the_ledger_refuses_is_found_and_ends_after_three_tries", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n }}"}`)
			w.poison(5)
			var es []triggers.Event
			for n := range 9 {
				es = append(es, event(n+1))
			}
			w.settle(es...)
			wait(2 * time.Second)
			if got := w.states(tr); strings.Count(got, ":fired:event") != 8 || !strings.Contains(got, "5:held:trouble") {
				t.Fatal(got)
			}
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
			w.happen(1)
			wait(time.Minute)
			if got := w.states(tr); !strings.Contains(got, "5:dead:refused") {
				t.Fatal(got)
			}
			dead := w.ledger.Firings(tr.ID)[len(w.ledger.Firings(tr.ID))-1]
			if dead.Decision != triggers.EventDead || !strings.Contains(dead.Reason, "refused: 3 times") || !strings.Contains(dead.Reason, "too big") {
				t.Errorf("%+v", dead)
			}
			if s := w.manager.Stats(); s.Dead != 1 || s.Held != 0 {
				t.Errorf("%+v", s)
			}
		})
	})

	t.Run("it_is_tried_again_after_five_and_twenty_five_seconds", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			var alone []time.Time
			refuse := func(ds []triggers.Decision) error {
				if len(ds) == 1 && len(ds[0].Dispatches) == 1 {
					alone = append(alone, time.Now())
				}
				for _, d := range ds {
					if len(d.Dispatches) > 0 {
						return errors.New("string or blob too big")
					}
				}
				return nil
			}
			tr := w.add(`"max_in_flight": 1`)
			w.refuse.Store(&refuse)
			w.settle(event(1))
			first := time.Now()
			wait(time.Minute)
			w.expect(tr, "1:dead:refused")
			n := len(alone)
			for i, want := range []time.Duration{5 * time.Second, 30 * time.Second} {
				if d := alone[n-2+i].Sub(first).Round(2 * time.Second); n < 3 || d < want-2*time.Second || d > want+2*time.Second {
					t.Errorf("of %d tries number %d came after %s", n, n-1+i, d)
				}
			}
		})
	})

	t.Run("what_is_refused_while_it_waits_does_not_hold_up_those_behind_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n }}"}, "max_in_flight": 1`)
			w.happen(4)
			w.poison(2)
			for range 4 {
				w.end(tr, 1)
				wait(time.Minute)
			}
			if got := w.states(tr); got != "1:fired:event 2:dead:refused 3:fired:event 4:fired:event" {
				t.Error(got)
			}
		})
	})

	t.Run("what_works_the_second_time_is_not_dead", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n }}"}`)
			w.poison(2)
			w.settle(event(1), event(2), event(3))
			wait(2 * time.Second)
			w.expect(tr, "1:fired:event 2:held:trouble 3:fired:event")
			w.refuse.Store(nil)
			wait(time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
		})
	})

	t.Run("a_ledger_that_refuses_everything_kills_nobody", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n }}"}, "max_in_flight": 1`)
			w.happen(5)
			full := func([]triggers.Decision) error { return triggertest.ErrFull }
			w.refuse.Store(&full)
			w.end(tr, 1)
			wait(time.Hour)
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Failing || !strings.Contains(got.Reason, "full") {
				t.Errorf("%s %s", got.State, got.Reason)
			}
			w.refuse.Store(nil)
			for range 5 {
				wait(time.Minute)
				w.end(tr, 1)
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event")
		})
	})

	t.Run("a_ledger_that_fails_now_and_then_puts_nothing_aside", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			w.happen(4)
			for range 3 {
				once := true
				refuse := func(ds []triggers.Decision) (err error) {
					if once {
						err = triggertest.ErrFull
					}
					for _, d := range ds {
						if d.Reason == triggers.ReasonTrouble {
							t.Error("an event is put aside")
						}
					}
					once = false
					return err
				}
				w.refuse.Store(&refuse)
				w.end(tr, 1)
				wait(2 * time.Second)
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event")
		})
	})

	t.Run("it_can_be_run_again_when_the_trouble_is_over", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n }}"}`)
			w.poison(1)
			w.settle(event(1))
			wait(time.Hour)
			w.expect(tr, "1:dead:refused")
			w.refuse.Store(nil)
			if n, err := w.manager.Retry(t.Context(), "t", nil, nil, 0, triggers.Principal{}); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			synctest.Wait()
			w.expect(tr, "1:dead:refused 1~1:fired:event")
		})
	})

	t.Run("a_panic_about_an_event_ends_that_event", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = func(m *triggers.Made) {
				m.Judge = func(fields map[string]any, _ time.Time) triggers.Judgement {
					if fields["n"] == int64(2) {
						panic("bad weather")
					}
					return triggers.Judgement{}
				}
			}
			tr := w.add(``)
			w.happen(3)
			w.expect(tr, "1:fired:event 2:dead:panic 3:fired:event")
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
		})
	})
}
