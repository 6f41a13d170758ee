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

func TestIncomplete(t *testing.T) {
	judged := func(w *world) {
		w.made = func(m *triggers.Made) {
			m.Judge = func(fields map[string]any, _ time.Time) triggers.Judgement {
				if fields["complete"] == false {
					return triggers.Judgement{Hold: triggers.ReasonIncomplete}
				}
				return triggers.Judgement{}
			}
		}
	}
	part := func(n int, complete bool) triggers.Event {
		e := event(n)
		e.Payload = json.RawMessage(fmt.Sprintf(`{"path":"/in/%d","n":%d,"complete":%v}`, n, n, complete))
		e.Amends = complete
		return e
	}
	emit := func(w *world, es ...triggers.Event) {
		w.Helper()
		if err := w.emit(triggers.Batch{Events: es}); err != nil {
			w.Fatal(err)
		}
	}
	t.Run("is_held_until_it_is_amended_and_holds_up_nobody", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			judged(w)
			tr := w.add(`"max_in_flight": 5`)
			emit(w, part(1, false), part(2, true))
			w.expect(tr, "1:held:incomplete 2:fired:event")
			w.restart()
			emit(w, part(1, true), part(3, false))
			w.expect(tr, "1:fired:event 2:fired:event 3:held:incomplete")
			if s := w.manager.Stats(); s.Held != 1 || s.Waiting[triggers.ReasonIncomplete] != 1 {
				t.Errorf("%+v", s)
			}
			emit(w, part(3, true))
			emit(w, part(3, true)) // it is decided by now
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
			if n := len(w.ledger.Dispatches(tr.ID)); n != 3 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("is_no_lag", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			judged(w)
			tr := w.add(`"overlap": "queue", "max_in_flight": 1`)
			emit(w, part(1, false))
			wait(time.Hour)
			lags := func(want time.Duration) {
				t.Helper()
				stored, err := w.ledger.Trigger(t.Context(), "t")
				if err != nil {
					t.Fatal(err)
				}
				at := w.manager.Live(stored).OldestAt
				if got := w.manager.Stats().Lag; got != want || at.IsZero() != (want == 0) || want > 0 && time.Since(at) != want {
					t.Errorf("lag %s, the oldest is of %s; want %s", got, at, want)
				}
			}
			lags(0)
			emit(w, part(2, true), part(3, true))
			w.expect(tr, "1:held:incomplete 2:fired:event 3:held:overlap")
			wait(time.Minute)
			lags(time.Minute)
			w.restart()
			lags(time.Minute)
			w.end(tr, 1)
			lags(0)
		})
	})

	t.Run("more_than_memory_holds_starve_nobody", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			judged(w)
			tr := w.add(``)
			for i := range 4 {
				var es []triggers.Event
				for n := range 700 {
					es = append(es, part(1000*i+n, false))
				}
				emit(w, es...)
			}
			emit(w, part(9001, true))
			w.restart()
			emit(w, part(9002, true))
			if got := w.states(tr); !strings.HasSuffix(got, "9001:fired:event 9002:fired:event") || strings.Count(got, ":held:incomplete") != 2800 {
				t.Error(got[len(got)-100:])
			}
			emit(w, part(3600, true))
			if got := w.states(tr); strings.Count(got, ":held:incomplete") != 2799 || strings.Count(got, ":fired:event") != 3 {
				t.Error(got[len(got)-100:])
			}
			if s := w.manager.Stats(); s.Waiting[triggers.ReasonIncomplete] != 2799 {
				t.Errorf("%+v", s)
			}
		})
	})

	t.Run("has_a_reason_when_memory_does_not_hold_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			defer triggers.SetWindow(3)()
			judged(w)
			tr := w.add(`"max_in_flight": 1`)
			for n := range 7 {
				emit(w, event(n+1))
			}
			emit(w, part(7, true))
			w.expect(tr, "1:fired:event 2:held:overlap 3:held:overlap 4:held:overlap 5:held:overlap 6:held:backlog 7:held:backlog")
		})
	})

	t.Run("is_a_sign_of_life_when_it_is_amended", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			judged(w)
			w.add(`"expect_every": "1h"`)
			emit(w, part(1, false))
			wait(50 * time.Minute)
			emit(w, part(1, true))
			wait(50 * time.Minute)
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
		})
	})

	t.Run("is_counted_once_whatever_is_read_again", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			judged(w)
			w.add(`"inputs": {"n": "${{ event.n == 2 ? event.path : event.n }}"}`)
			emit(w, part(1, false), event(2))
			if n, err := w.manager.Retry(t.Context(), "t", nil, nil, 0, triggers.Principal{}); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			synctest.Wait()
			if s := w.manager.Stats(); s.Held != 1 || s.Waiting[triggers.ReasonIncomplete] != 1 {
				t.Errorf("%+v", s)
			}
		})
	})
}
