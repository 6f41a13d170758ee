package timer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var anchor = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestDue(t *testing.T) {
	draw := func(t *rapid.T, what string) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, what))
	}
	t.Run("finds_the_last_instant_and_counts_those_before", rapid.MakeCheck(func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(int64(time.Second), int64(100*time.Hour)).Draw(t, "every"))
		last := anchor.Add(draw(t, "last"))
		now := last.Add(draw(t, "later"))
		got := due(anchor, every, last, last, now)
		var instants []time.Time // in (last, now], counted one by one
		first := anchor
		if gap := last.Sub(anchor); gap > 2*every {
			first = anchor.Add(gap.Truncate(every)).Add(-every)
		}
		if now.Sub(first)/every > 10_000 {
			return // counting would take too long
		}
		for i := first; !i.After(now); i = i.Add(every) {
			if i.After(last) && i.After(anchor) {
				instants = append(instants, i)
			}
		}
		if len(instants) == 0 {
			if !got.at.IsZero() {
				t.Fatalf("due at %v, want nothing", got.at)
			}
		} else if want := instants[len(instants)-1]; !got.at.Equal(want) || got.missed != int64(len(instants)-1) {
			t.Fatalf("due at %v after %d, want %v after %d", got.at, got.missed, want, len(instants)-1)
		}
		if !got.next.After(now) || got.next.Sub(anchor)%every != 0 || got.next.Sub(now) > every {
			t.Fatalf("next at %v", got.next)
		}
	}))

	t.Run("never_drifts_however_it_is_asked", rapid.MakeCheck(func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "every"))
		last, now, total := anchor, anchor, int64(0)
		for range rapid.IntRange(1, 50).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "pass")))
			if d := due(anchor, every, last, last, now); !d.at.IsZero() {
				total += d.missed + 1
				last = d.at
			}
		}
		if want := int64(now.Sub(anchor) / every); total != want {
			t.Fatalf("%d instants, want %d", total, want)
		}
	}))

	t.Run("before_the_anchor_it_ticks_too_when_the_clock_was_set_back_so_far", func(t *testing.T) {
		if d := due(anchor, time.Hour, anchor.Add(-30*time.Hour), anchor, anchor.Add(-90*time.Minute)); !d.at.Equal(anchor.Add(-2*time.Hour)) || d.missed != 0 || !d.next.Equal(anchor.Add(-time.Hour)) {
			t.Errorf("%+v", d)
		}
	})

	t.Run("what_was_accounted_for_is_not_missed_when_the_clock_comes_forward_again", func(t *testing.T) {
		if d := due(anchor, time.Hour, time.Unix(0, 0), anchor.Add(5*time.Hour), anchor.Add(7*time.Hour)); d.missed != 1 {
			t.Errorf("%+v", d)
		}
	})
}

func TestRun_goes_on_ticking_when_the_clock_was_set_back(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{every: time.Hour}
		now := time.Now()
		c := cursor{Every: time.Hour.Microseconds(), Anchor: now.Add(-90 * time.Minute).UnixMicro(), Last: now.Add(1000 * time.Hour).UnixMicro()}
		var keys []string
		emit := func(_ context.Context, b triggers.Batch) error {
			for _, e := range b.Events {
				keys = append(keys, e.Key)
			}
			return json.Unmarshal(b.Cursor, &c)
		}
		for range 500 {
			raw, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Run(t.Context(), triggers.From{Cursor: raw, Health: func(triggers.State, string) {}}, emit)
			var until *triggers.UntilError
			if !errors.As(err, &until) {
				t.Fatal(err)
			}
			time.Sleep(time.Until(until.At)) // simulated
		}
		if len(keys) != 4 || keys[0] != now.Add(30*time.Minute).UTC().Format(instant) {
			t.Errorf("%v", keys)
		}
	})
}

type world struct {
	*testing.T
	ledger  *triggertest.Ledger
	manager *triggers.Manager
	stop    func()
}

func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, ledger: triggertest.NewLedger()}
		l, err := graph.Parse([]byte("lattice: tick\ninputs: {at: {type: string, default: none}, missed: {type: integer, default: 0}}\nelectrons: {e: {run: [\"true\"]}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		w.ledger.AddLattice(l)
		w.start()
		defer func() { w.stop() }()
		f(t, w)
	})
}

func (w *world) start() {
	m := triggers.NewManager(w.ledger, triggers.Kinds{"time": Kind}, triggers.Options{Log: zerolog.Nop()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	w.manager = m
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
		w.stop = func() {}
	}
}

func (w *world) add(fields string) triggers.Trigger {
	w.Helper()
	tr, _, err := w.manager.Add(w.Context(), []byte(`{"name":"t","kind":"time","lattice":"tick","overlap":"allow","inputs":{"at":"${{ event.time }}","missed":"${{ event.missed }}"},`+fields+`}`), triggers.Principal{})
	if err != nil {
		w.Fatal(err)
	}
	return tr
}

func (w *world) inputs(id string) []string {
	var out []string
	for _, d := range w.ledger.Dispatches(id) {
		out = append(out, string(d.Inputs))
	}
	return out
}

func wait(d time.Duration) {
	time.Sleep(d) // simulated
	synctest.Wait()
}

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

func TestKind_says_what_is_wrong(t *testing.T) {
	for fields, want := range map[string]string{
		`"every":"0.5s"`:             `every: must be at least 1s, not 500ms`,
		`"every":"1m","time_gap":60`: `time_gap and every mean the same: give one of them`,
		`"labels":{}`:                `say how often: every (such as 10m) or time_gap (seconds)`,
		`"cron":"0 * * * *"`:         `cron is not supported by this version: time triggers take every or time_gap`,
		`"every":1,"catch_up":"all"`: `catch_up: must be one of last, not "all"`,
		`"evry":1`:                   `unknown field "evry"; did you mean every?`,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{T: t, ledger: triggertest.NewLedger()}
			w.start()
			defer w.stop()
			_, _, err := w.manager.Add(t.Context(), []byte(`{"name":"t","kind":"time","lattice":"x",`+fields+`}`), triggers.Principal{})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", fields, err, want)
			}
		})
	}
}
