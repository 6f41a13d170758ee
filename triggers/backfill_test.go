package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

func (w *world) backfill(r triggers.Range, confirm int, dry bool) (triggers.Backfilled, error) {
	w.Helper()
	b, err := w.manager.Backfill(w.Context(), "t", r, confirm, dry, triggers.Principal{Name: "bob"})
	synctest.Wait()
	return b, err
}

func TestBackfill(t *testing.T) {
	t.Run("makes_events_of_what_is_there_and_was_none", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"when": "${{ event.n != 3 }}"`)
			w.happen(2)
			w.feed.holds(4, 3)
			var b triggers.Backfilled
			var err error
			quietly(t, w, func() { b, err = w.backfill(triggers.Range{}, 0, true) })
			if err != nil || b != (triggers.Backfilled{Found: 4, Known: 2, Emitted: 2}) {
				t.Fatal(b, err)
			}
			if b, err = w.backfill(triggers.Range{}, 0, false); err != nil || b != (triggers.Backfilled{Found: 4, Known: 2, Emitted: 2}) {
				t.Fatal(b, err)
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:skipped:condition 4:fired:event")
			if b, err = w.backfill(triggers.Range{}, 0, false); err != nil || b != (triggers.Backfilled{Found: 4, Known: 4}) {
				t.Error("once more", b, err)
			}
		})
	})

	t.Run("of_a_paused_trigger_does_not_wait_for_the_end_of_the_pause", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			if _, err := w.manager.Pause(w.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.feed.holds(900, 256)
			began := time.Now()
			b, err := w.backfill(triggers.Range{}, 0, false)
			if took := time.Since(began); err != nil || b.Found != 900 || b.Emitted < 500 || b.Emitted == 900 || took > 2*time.Second {
				t.Error(b, err, "after", took)
			}
			if _, err := w.manager.Resume(w.Context(), "t", triggers.BacklogSkip); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if after, err := w.backfill(triggers.Range{}, 0, false); err != nil || after.Known != 900 {
				t.Error("after the pause", after, err)
			}
		})
	})

	t.Run("hands_the_range_to_the_source", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			want := triggers.Range{Path: "/in/x", Since: time.Now().Add(-time.Hour), Until: time.Now()}
			w.feed.backfill = func(_ context.Context, r triggers.Range, _ func([]triggers.Event) error) error {
				if r != want {
					t.Errorf("%+v", r)
				}
				return errors.New("/in/x is outside")
			}
			if _, err := w.backfill(want, 0, false); err == nil || !strings.Contains(err.Error(), "/in/x is outside") {
				t.Error(err)
			}
		})
	})

	t.Run("of_more_than_a_thousand_wants_their_number", func(t *testing.T) { // pain point 38
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "allow"`)
			w.happen(1)
			w.feed.holds(1202, 100)
			for _, confirm := range []int{0, 1, 1202} {
				var conflict *triggers.ConflictError
				_, err := w.backfill(triggers.Range{}, confirm, false)
				if !errors.As(err, &conflict) || conflict.Code != "confirm_required" || !strings.Contains(conflict.Message, "1201") {
					t.Fatal(err)
				}
			}
			if n := len(w.ledger.Events(tr.ID)); n != 1 {
				t.Fatalf("%d events", n)
			}
			if b, err := w.backfill(triggers.Range{}, 1201, false); err != nil || b.Emitted != 1201 {
				t.Fatal(b, err)
			}
			if n := len(w.ledger.Dispatches(tr.ID)); n != 1202 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("does_not_bury_fresh_events_and_goes_on_after_the_answer", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 100`)
			w.feed.has(10_000, 1000, backfilled)
			begin := time.Now()
			b, err := w.backfill(triggers.Range{}, 10_000, false)
			if err != nil || b.Emitted < 600 || b.Emitted > 1100 || time.Since(begin) > 21*time.Second {
				t.Fatal(b, err, time.Since(begin))
			}
			for range 30 {
				w.n = 50_000 + w.n%50_000
				w.happen(1)
				if e := w.ledger.Events(tr.ID); e[len(e)-1].Reason != triggers.ReasonOverlap {
					t.Fatalf("%s: %s", e[len(e)-1].Key, e[len(e)-1].Reason)
				}
				w.end(tr, 100)
				wait(time.Second)
				if fired := w.firings(tr); !slices.Contains(fired[len(fired)-100:], fmt.Sprint(w.n)) {
					t.Fatalf("event %d is buried", w.n)
				}
				if counts, _ := w.ledger.Counts(t.Context(), tr.ID); counts.Pending > 1024 {
					t.Fatalf("%d wait", counts.Pending)
				}
			}
			again, err := w.backfill(triggers.Range{}, 0, false) // tells how far it is
			if err != nil || again.Found != 10_000 || again.Emitted <= b.Emitted {
				t.Error(again, err)
			}
			var conflict *triggers.ConflictError
			if _, err := w.backfill(triggers.Range{Path: "/x"}, 0, false); !errors.As(err, &conflict) || conflict.Code != "backfill_running" {
				t.Error(err)
			}
			for range 120 {
				w.end(tr, 100)
				wait(time.Second)
			}
			if n := len(w.ledger.Dispatches(tr.ID)); n != 10_030 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("that_was_cut_off_is_completed_by_another_one", func(t *testing.T) {
		for how, cut := range map[string]func(w *world){
			"restart": func(w *world) { w.restart() },
			"edit":    func(w *world) { w.patch(`{"labels": {"a": "b"}}`) },
		} {
			t.Run(how, func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *world) {
					tr := w.add(``)
					w.feed.holds(5000, 700)
					b, err := w.backfill(triggers.Range{}, 5000, false)
					if err != nil || b.Emitted == 5000 {
						t.Fatal(b, err)
					}
					cut(w)
					left := 5000 - len(w.ledger.Events(tr.ID))
					w.patch(`{"overlap": "allow"}`)
					if b, err = w.backfill(triggers.Range{}, left, false); err != nil || b.Emitted != left || b.Known != 5000-left {
						t.Fatal(b, err)
					}
					if n := len(w.ledger.Dispatches(tr.ID)); n != 5000 {
						t.Errorf("%d dispatches", n)
					}
				})
			})
		}
	})

	t.Run("changes_nothing_twice_when_the_ledger_fails_on_the_way", func(t *testing.T) {
		for _, op := range []string{"Known", "Counts", "Record", "Cursor"} {
			for _, after := range []bool{false, true} {
				inBubble(t, func(t *testing.T, w *world) {
					tr := w.add(`"overlap": "allow"`)
					w.feed.holds(900, 300)
					n := 0
					fail := func(o string) error {
						if o == op {
							if n++; n == 2 {
								return errors.New("power failure")
							}
						}
						return nil
					}
					if after {
						w.ledger.FailAfter(fail)
					} else {
						w.ledger.Fail(fail)
					}
					_, err := w.backfill(triggers.Range{}, 0, false)
					if err == nil {
						t.Errorf("%s: no error", op)
					}
					w.ledger.Fail(nil)
					w.ledger.FailAfter(nil)
					wait(10 * time.Second)
					if _, err := w.backfill(triggers.Range{}, 0, false); err != nil {
						t.Error(err)
					}
					if n := len(w.ledger.Dispatches(tr.ID)); n != 900 {
						t.Errorf("%s, after %v: %d dispatches", op, after, n)
					}
				})
			}
		}
	})

	t.Run("does_not_wait_for_what_only_somebody_can_move", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = func(m *triggers.Made) {
				m.Judge = func(fields map[string]any, _ time.Time) triggers.Judgement {
					if n, _ := fields["n"].(int64); n <= 2500 {
						return triggers.Judgement{Hold: triggers.ReasonIncomplete}
					}
					return triggers.Judgement{}
				}
			}
			tr := w.add(`"overlap": "allow"`)
			for range 5 {
				w.happen(500)
			}
			w.feed.holds(4000, 1000)
			if b, err := w.backfill(triggers.Range{}, 1500, false); err != nil || b.Emitted != 1500 {
				t.Error(b, err)
			}
			if n := len(w.ledger.Dispatches(tr.ID)); n != 1500 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("asked_for_twice_at_once_runs_once_and_both_are_answered", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			w.feed.holds(5000, 1000)
			look := w.feed.backfill
			w.feed.backfill = func(ctx context.Context, r triggers.Range, f func([]triggers.Event) error) error {
				time.Sleep(time.Second) // so that both count before one of them begins
				return look(ctx, r, f)
			}
			since := time.Now().Add(-time.Hour)
			for _, zone := range []*time.Location{time.FixedZone("", 3600), time.UTC} {
				go func() {
					b, err := w.manager.Backfill(t.Context(), "t", triggers.Range{Since: since.In(zone)}, 5000, false, triggers.Principal{})
					if err != nil || b.Found != 5000 || b.Emitted < 600 {
						t.Error(b, err)
					}
				}()
			}
			time.Sleep(10 * time.Second)
			stored, _ := w.ledger.Trigger(t.Context(), "t")
			if b := w.manager.Live(stored).Backfill; b == nil || b.Found != 5000 || b.Emitted < 600 {
				t.Errorf("%+v is shown", b)
			}
			time.Sleep(20 * time.Second)
			if n := len(w.ledger.Events(tr.ID)); n > 1100 {
				t.Errorf("%d events", n)
			}
			w.patch(`{"labels": {"a": "b"}}`)
			if b := w.manager.Live(stored).Backfill; b != nil {
				t.Errorf("%+v is shown after the end", b)
			}
		})
	})

	t.Run("that_is_ended_says_by_what_and_how_far_it_came", func(t *testing.T) {
		for how, end := range map[string]func(w *world){
			"revised": func(w *world) { w.patch(`{"labels": {"a": "b"}}`) },
			"stopped": func(w *world) { w.stop() },
		} {
			t.Run(how, func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *world) {
					w.add(``)
					w.feed.holds(5000, 700)
					ended := make(chan error)
					go func() {
						_, err := w.manager.Backfill(t.Context(), "t", triggers.Range{}, 5000, false, triggers.Principal{})
						ended <- err
					}()
					wait(time.Second)
					end(w)
					err := <-ended
					var conflict *triggers.ConflictError
					if how == "stopped" && !errors.Is(err, triggers.ErrStopped) || how == "revised" && (!errors.As(err, &conflict) || conflict.Code != "revised") || !strings.Contains(err.Error(), "of 5000 events are emitted, ask again for the rest") {
						t.Error(err)
					}
				})
			})
		}
	})

	t.Run("of_what_can_not_be_read_says_so", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.feed.backfill = func(context.Context, triggers.Range, func([]triggers.Event) error) error {
				return errors.New("open /in: permission denied")
			}
			var conflict *triggers.ConflictError
			if _, err := w.backfill(triggers.Range{}, 0, false); !errors.As(err, &conflict) || conflict.Code != "unreadable" || !strings.Contains(conflict.Message, "permission denied") {
				t.Error(err)
			}
			n := 0
			w.feed.backfill = func(_ context.Context, _ triggers.Range, f func([]triggers.Event) error) error {
				if err := f([]triggers.Event{event(1)}); err != nil {
					return err
				}
				if n++; n == 2 { // it was counted before
					return errors.New("read /in: input/output error")
				}
				return f([]triggers.Event{event(2)})
			}
			if _, err := w.backfill(triggers.Range{}, 0, false); !errors.As(err, &conflict) || conflict.Code != "unreadable" ||
				!strings.Contains(conflict.Message, "1 of 2 events are emitted") || !strings.Contains(conflict.Message, "input/output error") {
				t.Error(err)
			}
		})
	})

	t.Run("of_what_hangs_is_given_up", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			hung := make(chan struct{})
			w.feed.backfill = func(context.Context, triggers.Range, func([]triggers.Event) error) error {
				<-hung
				return nil
			}
			var conflict *triggers.ConflictError
			if _, err := w.backfill(triggers.Range{}, 0, true); !errors.As(err, &conflict) || conflict.Code != "no_answer" || !strings.Contains(conflict.Message, "no answer within 5m") {
				t.Error(err)
			}
			close(hung)
		})
	})

	t.Run("of_a_kind_that_can_not_is_refused", func(t *testing.T) {
		_, m := bareManager(t)
		if _, _, err := m.Add(t.Context(), []byte(`{"name": "b", "kind": "bare", "lattice": "echo"}`), triggers.Principal{}); err != nil {
			t.Fatal(err)
		}
		var conflict *triggers.ConflictError
		if _, err := m.Backfill(t.Context(), "b", triggers.Range{}, 0, false, triggers.Principal{}); !errors.As(err, &conflict) || conflict.Code != "no_backfill" {
			t.Error(err)
		}
	})
}
