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

	"github.com/latticed/latticed/triggers"
)

// probed makes a source and asks what it would do.
func probed(t *testing.T, fields map[string]any, last time.Time, runs triggers.Runs) (*source, *loop, triggers.Probed) {
	t.Helper()
	m, err := triggers.Make(Kind, fields)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Source.(*source) //nolint:forcetypeassert // it is ours
	l := &loop{T: t, source: s, runs: runs}
	if !last.IsZero() {
		if err := s.save(t.Context(), s.fresh(last), nil, time.Time{}, func(_ context.Context, b triggers.Batch) error { l.cursor = b.Cursor; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.Probe(t.Context(), l.from())
	if err != nil {
		t.Fatal(err)
	}
	return s, l, p
}

func TestProbe(t *testing.T) {
	t.Run("tells_the_next_ten_of_what_is_not_stored_yet", func(t *testing.T) { // pain point 32
		synctest.Test(t, func(t *testing.T) {
			_, _, p := probed(t, map[string]any{"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, time.Time{}, triggers.Runs{})
			if len(p.Next) != 10 || p.Next[0].UTC().Format(time.RFC3339) != "2000-01-01T01:30:00Z" || p.CatchUp != nil || len(p.Events) > 0 {
				t.Errorf("%+v", p)
			}
		})
	})

	t.Run("lists_end_where_the_instants_do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, _, p := probed(t, map[string]any{"at": []any{"1999-01-01T00:00:00Z", "2030-01-01T00:00:00Z"}}, time.Time{}, triggers.Runs{})
			if len(p.Next) != 1 {
				t.Errorf("%+v", p)
			}
		})
	})

	t.Run("says_what_would_be_caught_up_with", func(t *testing.T) { // pain point 38: "17 missed, will start 1"
		for _, tt := range []struct {
			catchUp string
			window  string
			runs    int64
			want    int64
		}{{"last", "24h", 0, 1}, {"none", "24h", 0, 0}, {"all", "24h", 0, 5}, {"all", "24h", 3, 2}, {"all", "150m", 0, 3}, {"last", "1m", 0, 0}} {
			synctest.Test(t, func(t *testing.T) {
				since := time.Now()
				time.Sleep(17*time.Hour + 10*time.Minute)
				_, _, p := probed(t, map[string]any{"every": "1h", "catch_up": tt.catchUp, "cap": int64(5), "window": tt.window}, since, triggers.Runs{Undecided: tt.runs})
				if c := p.CatchUp; c == nil || c.Missed != 17 || c.WouldRun != tt.want || !c.Since.Equal(since) || int64(len(p.Events)) != tt.want || p.Counts.WouldFire != int(tt.want) {
					t.Errorf("%+v: %+v, %d events", tt, p.CatchUp, len(p.Events))
				}
			})
		}
	})

	t.Run("one_that_was_missed_is_caught_up_with_and_none_is_nothing_to_tell", func(t *testing.T) {
		for down, want := range map[time.Duration]int64{59 * time.Minute: 0, 61 * time.Minute: 1} {
			synctest.Test(t, func(t *testing.T) {
				since := time.Now()
				time.Sleep(down)
				_, _, p := probed(t, map[string]any{"every": "1h"}, since, triggers.Runs{})
				if c := p.CatchUp; want == 0 && c != nil || want > 0 && (c == nil || c.Missed != want || c.WouldRun != want) {
					t.Errorf("%v: %+v", down, c)
				}
			})
		}
	})

	t.Run("another_schedule_has_missed_nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			since := time.Now()
			_, l, _ := probed(t, map[string]any{"every": "1h"}, since, triggers.Runs{})
			time.Sleep(17 * time.Hour)
			m, err := triggers.Make(Kind, map[string]any{"every": "2h"})
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Source.(triggers.Prober).Probe(t.Context(), l.from()) //nolint:forcetypeassert // it is ours
			if err != nil || p.CatchUp != nil || !p.Next[0].Equal(time.Now().Add(2*time.Hour)) {
				t.Errorf("%+v, %v", p, err)
			}
		})
	})

	t.Run("after_completion_knows_one_while_nothing_runs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fields := map[string]any{"every": "1h", "after": "completion"}
			since := time.Now()
			time.Sleep(30 * time.Minute)
			if _, _, p := probed(t, fields, since, triggers.Runs{LastEnd: since.Add(10 * time.Minute)}); len(p.Next) != 1 || !p.Next[0].Equal(since.Add(70*time.Minute)) {
				t.Errorf("%+v", p)
			}
			if _, _, p := probed(t, fields, since, triggers.Runs{InFlight: 1}); len(p.Next) != 0 {
				t.Errorf("%+v", p)
			}
		})
	})
}

func TestBackfill(t *testing.T) {
	t.Run("lists_the_instants_of_a_range_with_their_own_keys", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			since := time.Now()
			time.Sleep(10 * 24 * time.Hour)
			s, l, _ := probed(t, map[string]any{"cron": "0 */2 * * *", "timezone": "UTC"}, since, triggers.Runs{})
			var keys []string
			pages := 0
			err := s.Backfill(t.Context(), l.from(), triggers.Range{Since: since, Until: since.AddDate(1, 0, 0)}, func(es []triggers.Event) error {
				pages++
				for _, e := range es {
					if !strings.Contains(string(e.Payload), `"backfill":true`) {
						t.Errorf("%s", e.Payload)
					}
					keys = append(keys, e.Key)
				}
				return nil
			})
			// Nothing of the future, and the first and the last of the range are in it.
			if err != nil || len(keys) != 121 || pages != 2 || keys[0] != "2000-01-01T00:00:00.000000Z" || keys[120] != "2000-01-11T00:00:00.000000Z" {
				t.Errorf("%d keys on %d pages, %v", len(keys), pages, err)
			}
			// So that of two days next to each other each has its own midnight.
			for want, until := range map[int]time.Time{1: since.Add(4 * time.Hour), 2: since.Add(4*time.Hour + time.Microsecond)} {
				n := 0
				err := s.Backfill(t.Context(), l.from(), triggers.Range{Since: since.Add(time.Microsecond), Until: until}, func(es []triggers.Event) error { n += len(es); return nil })
				if err != nil || n != want {
					t.Errorf("%d until %v, want %d, %v", n, until, want, err)
				}
			}
			l.keys = nil
			l.until(time.Now())
			if !slices.Contains(keys, l.keys[0]) {
				t.Errorf("a tick has the key %s", l.keys[0])
			}
		})
	})

	t.Run("says_what_it_needs", func(t *testing.T) {
		now := time.Now()
		for _, tt := range []struct {
			fields map[string]any
			r      triggers.Range
			want   string
		}{
			{map[string]any{"every": "1h"}, triggers.Range{}, "since: say from when on: a time trigger has no beginning"},
			{map[string]any{"every": "1h"}, triggers.Range{Path: "/data", Since: now}, "path: a time trigger watches no path; give since and until"},
			{map[string]any{"every": "1h", "after": "completion"}, triggers.Range{Since: now}, "since: a trigger with after: completion has no instants of its own; fire it by hand"},
		} {
			s, l, _ := probed(t, tt.fields, time.Time{}, triggers.Runs{})
			if err := s.Backfill(t.Context(), l.from(), tt.r, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		}
	})

	t.Run("ends_with_the_error_of_whom_it_calls_and_with_the_context", func(t *testing.T) {
		s, l, _ := probed(t, map[string]any{"every": "1s"}, time.Time{}, triggers.Runs{})
		r := triggers.Range{Since: time.Now().Add(-time.Hour)}
		stop := errors.New("enough")
		if err := s.Backfill(t.Context(), l.from(), r, func([]triggers.Event) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stop)
		if err := s.Backfill(ctx, l.from(), r, func([]triggers.Event) error { return nil }); !errors.Is(err, stop) {
			t.Errorf("%v", err)
		}
	})
}

func TestPreview_and_backfill_through_the_manager(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		pv, err := w.manager.Preview(t.Context(), []byte(`{"name":"t","kind":"time","lattice":"tick","cron":"0 2 * * *","timezone":"UTC"}`))
		if err != nil || len(pv.Next) != 10 || !pv.Next[0].Equal(time.Now().Add(2*time.Hour)) || pv.Timezone != "UTC" {
			t.Errorf("%+v, %v", pv, err)
		}
		tr := w.add(`"cron":"0 * * * *","timezone":"UTC"`)
		wait(3*time.Hour + time.Minute)
		w.stop()
		wait(4 * time.Hour)
		w.start() // 07:01: of 04:00 to 07:00 one tick was made
		synctest.Wait()
		pv, err = w.manager.PreviewPatch(t.Context(), "t", []byte(`{"cron":"30 * * * *"}`))
		if err != nil || pv.CatchUp != nil || !pv.Next[0].Equal(time.Date(2000, 1, 1, 7, 30, 0, 0, time.UTC)) {
			t.Errorf("%+v, %v", pv, err)
		}
		r := triggers.Range{Since: time.Date(2000, 1, 1, 0, 30, 0, 0, time.UTC)}
		got, err := w.manager.Backfill(t.Context(), "t", r, 0, false, triggers.Principal{})
		if want := (triggers.Backfilled{Found: 7, Known: 4, Emitted: 3}); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
		for range 3 { // they queue, whatever overlap says
			w.ends(tr.ID)
			wait(time.Second)
		}
		w.tells(tr.ID, "2000-01-01T01:00:00Z 0 fired event", "2000-01-01T02:00:00Z 0 fired event", "2000-01-01T03:00:00Z 0 fired event", "2000-01-01T07:00:00Z 3 fired event",
			"2000-01-01T04:00:00Z 0 fired event", "2000-01-01T05:00:00Z 0 fired event", "2000-01-01T06:00:00Z 0 fired event")
	})
}

func TestFire_by_hand_is_a_tick_of_now(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.add(`"cron":"30 2 * * *","timezone":"Europe/Berlin","when":"${{ event.missed > 5 }}","labels":{"day":"${{ event.date }} ${{ event.local }} ${{ event.kind }}"}`)
		wait(90 * time.Minute) // it is another day in Berlin already
		wait(22 * time.Hour)
		f, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{})
		if err != nil || f.Decision != triggers.EventFired {
			t.Fatalf("%+v, %v", f, err)
		}
		d, err := w.ledger.Dispatch(t.Context(), f.DispatchIDs[0])
		if want := "2000-01-02 2000-01-02T00:30:00+01:00 manual"; err != nil || d.Labels["day"] != want {
			t.Errorf("%v, %v, want %s", d.Labels, err, want)
		}
		// What is given is not mixed with what is not.
		f, err = w.manager.Fire(t.Context(), "t", json.RawMessage(`{"date":"1999-12-31"}`), triggers.Principal{})
		if err != nil || f.Decision != triggers.EventRejected || !strings.Contains(f.Reason, "time") {
			t.Errorf("%+v, %v", f, err)
		}
	})
}
