package timer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestTime(t *testing.T) {
	t.Run("ticks_at_its_instants_for_a_day", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			begin := time.Now()
			tr := w.add(`"every":"10m"`)
			if !tr.NextAt.Equal(begin.Add(10 * time.Minute)) {
				t.Errorf("next at %v", tr.NextAt)
			}
			wait(24*time.Hour + time.Second)
			es := w.ledger.Events(tr.ID)
			if len(es) != 144 {
				t.Fatalf("%d ticks", len(es))
			}
			for i, e := range es {
				if want := begin.Add(time.Duration(i+1) * 10 * time.Minute).UTC().Format(instant); e.Key != want || e.Kind != "tick" || e.State != triggers.EventFired {
					t.Fatalf("tick %d is %+v, want %s", i, e, want)
				}
			}
		})
	})

	t.Run("catches_up_with_the_last_and_says_how_many_were_missed", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"time_gap":60`)
			wait(61 * time.Second)
			w.stop()
			wait(10 * time.Minute)
			at := time.Now().Truncate(time.Minute).UTC().Format(instant)
			w.start()
			synctest.Wait()
			if got := w.inputs(tr.ID); len(got) != 2 || got[1] != `{"at":"`+at+`","missed":9}` {
				t.Errorf("%v", got)
			}
			wait(time.Minute)
			if got := w.inputs(tr.ID); len(got) != 3 || !strings.Contains(got[2], `"missed":0`) {
				t.Errorf("%v", got)
			}
		})
	})

	t.Run("a_tick_older_than_the_window_is_skipped_and_says_so", func(t *testing.T) {
		for window, want := range map[string]string{"": "skipped window", `,"window":"3d"`: "fired event"} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(`"every":"168h"` + window)
				w.stop()
				wait(9 * 24 * time.Hour)
				w.start()
				synctest.Wait()
				if es := w.ledger.Events(tr.ID); len(es) != 1 || string(es[0].State)+" "+es[0].Reason != want {
					t.Errorf("%+v", es)
				}
				wait(6 * 24 * time.Hour)
				if es := w.ledger.Events(tr.ID); len(es) != 2 || es[1].State != triggers.EventFired {
					t.Errorf("%+v", es)
				}
			})
		}
	})

	t.Run("a_pause_holds_one_tick_that_counts_the_others", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"every":"1s"`)
			wait(1500 * time.Millisecond)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			wait(time.Hour)
			w.stop() // half of it while nobody watches
			wait(time.Hour)
			w.start()
			wait(time.Hour)
			es := w.ledger.Events(tr.ID)
			if len(es) != 2 || es[1].State != triggers.EventHeld || es[1].Reason != "paused" {
				t.Fatalf("%d events: %+v", len(es), es[len(es)-1])
			}
			if _, err := w.manager.Resume(t.Context(), "t", ""); err == nil {
				t.Error("resumed although a tick is held")
			}
			last := time.Now().Truncate(time.Second).UTC().Format(instant)
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := w.inputs(tr.ID); len(got) != 2 || got[1] != `{"at":"`+last+`","missed":10799}` {
				t.Errorf("%v", got)
			}
			wait(time.Second)
			if got := w.inputs(tr.ID); len(got) != 3 || !strings.Contains(got[2], `"missed":0`) {
				t.Errorf("%v", got)
			}
		})
	})

	t.Run("an_edit_of_the_rate_begins_anew_and_of_rules_does_not", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			begin := time.Now()
			tr := w.add(`"every":"10m"`)
			wait(9 * time.Minute)
			revise := func(patch string) {
				if _, _, err := w.manager.Patch(t.Context(), "t", []byte(patch), triggers.Principal{}); err != nil {
					t.Fatal(err)
				}
			}
			revise(`{"labels":{"a":"b"}}`)
			wait(2 * time.Minute)
			revise(`{"every":"1h"}`)
			wait(2 * time.Hour)
			var got []string
			for _, e := range w.ledger.Events(tr.ID) {
				got = append(got, e.Key)
			}
			want := []string{
				begin.Add(10 * time.Minute).UTC().Format(instant), begin.Add(71 * time.Minute).UTC().Format(instant), begin.Add(131 * time.Minute).UTC().Format(instant),
			}
			if !slices.Equal(got, want) {
				t.Errorf("ticks %v, want %v", got, want)
			}
		})
	})

	t.Run("skips_while_the_last_one_runs", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr, _, err := w.manager.Add(t.Context(), []byte(`{"name":"t","kind":"time","lattice":"tick","every":1}`), triggers.Principal{})
			if err != nil {
				t.Fatal(err)
			}
			wait(3 * time.Second)
			w.ledger.EndDispatches(tr.ID, 1)
			w.manager.DispatchEnded(tr.ID)
			wait(time.Second)
			var got []string
			for _, e := range w.ledger.Events(tr.ID) {
				got = append(got, string(e.State)+" "+e.Reason)
			}
			if want := []string{"fired event", "skipped overlap", "skipped overlap", "fired event"}; !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	})

	t.Run("goes_on_after_the_ledger_failed", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"every":"10s"`)
			w.ledger.Fail(func(op string) error {
				if op == "Record" {
					return triggertest.ErrFull
				}
				return nil
			})
			wait(time.Minute + 5*time.Second)
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Failing {
				t.Errorf("%s", got.State)
			}
			w.ledger.Fail(nil)
			wait(2 * time.Minute)
			total := int64(0)
			for _, d := range w.ledger.Dispatches(tr.ID) {
				var in struct{ Missed int64 }
				if err := json.Unmarshal(d.Inputs, &in); err != nil {
					t.Fatal(err)
				}
				total += in.Missed + 1
			}
			if total != 18 {
				t.Errorf("%d instants accounted for, want 18", total)
			}
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s: %s", got.State, got.Reason)
			}
		})
	})
}
