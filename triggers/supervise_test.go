package triggers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// waker is a source that waits to be woken.
type waker struct {
	runs   int
	during func(wake func()) // called in each run
}

func (s *waker) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	if s.runs++; from.Cursor == nil {
		if err := emit(ctx, triggers.Batch{Cursor: []byte(`{}`)}); err != nil {
			return err
		}
	}
	from.Health(triggers.Active, "")
	if s.during != nil {
		s.during(from.Wake)
	}
	return triggers.Until(time.Now().Add(10_000 * time.Hour))
}

func TestAfterRuns(t *testing.T) {
	t.Run("the_end_of_a_dispatch_wakes_the_source_that_asks_for_it", func(t *testing.T) {
		for _, asks := range []bool{true, false} {
			inBubble(t, func(t *testing.T, w *world) {
				s := &waker{}
				w.made = func(m *triggers.Made) { m.Source, m.AfterRuns = s, asks }
				tr := w.add(``)
				w.restart()
				before := s.runs
				if _, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{}); err != nil {
					t.Fatal(err)
				}
				w.end(tr, 1)
				if woken := s.runs - before; woken > 0 != asks {
					t.Errorf("asks %v, woken %d times", asks, woken)
				}
			})
		}
	})

	t.Run("so_does_an_event_that_becomes_no_dispatch", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			s := &waker{}
			w.made = func(m *triggers.Made) { m.Source, m.AfterRuns = s, true }
			w.add(`"inputs": {"n": "${{ event.n }}"}`)
			before := s.runs
			if f, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{}); err != nil || f.Decision != triggers.EventRejected {
				t.Fatal(f, err)
			}
			synctest.Wait()
			if s.runs == before {
				t.Error("it waits for a dispatch that will not be")
			}
		})
	})
}

func TestIdle(t *testing.T) {
	count := func(w *world, d time.Duration) (ops int) {
		w.ledger.Fail(func(string) error {
			ops++
			return nil
		})
		wait(d)
		w.ledger.Fail(nil)
		return ops
	}
	t.Run("nothing_is_looked_at_while_nothing_can_change", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			w.happen(1)
			if n := count(w, 24*time.Hour); n != 0 {
				t.Errorf("%d looks while one runs and nobody waits", n)
			}
			w.happen(1)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			wait(time.Minute)
			if n := count(w, 24*time.Hour); n != 0 {
				t.Errorf("%d looks in a pause", n)
			}
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			if n := count(w, time.Hour); n < 100 || n > 500 {
				t.Errorf("%d looks in an hour while one waits for a slot", n)
			}
			w.end(tr, 1)
			wait(time.Minute)
			if n := count(w, 24*time.Hour); n != 0 {
				t.Errorf("%d looks after that", n)
			}
		})
	})
}

func TestClockSet_wakes_sources_and_gates(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		s := &waker{}
		w.made = func(m *triggers.Made) { m.Source = s }
		w.add(``)
		before := s.runs
		triggers.ClockWasSet(w.manager)
		synctest.Wait()
		if s.runs != before+1 {
			t.Errorf("%d runs", s.runs-before)
		}
	})
}

func TestWake_during_a_run_is_followed_by_another(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		s := &waker{}
		s.during = func(wake func()) {
			if s.runs < 5 {
				wake()
				wake()
			}
		}
		w.made = func(m *triggers.Made) { m.Source = s }
		w.add(``)
		if synctest.Wait(); s.runs != 5 {
			t.Errorf("%d runs", s.runs)
		}
	})
}
