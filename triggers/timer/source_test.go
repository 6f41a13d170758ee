package timer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// loop runs a source as a manager would, so that a test can hold its cursor.
type loop struct {
	*testing.T
	source triggers.Source
	cursor json.RawMessage
	next   time.Time // as people are shown it
	runs   triggers.Runs
	keys   []string
	missed []int64 // of each
	naps   int
}

func (l *loop) from() triggers.From {
	return triggers.From{
		Cursor: l.cursor, Health: func(triggers.State, string) {}, Wake: func() {},
		Runs: func(context.Context) (triggers.Runs, error) { return l.runs, nil },
	}
}

// until runs the source up to an instant.
func (l *loop) until(end time.Time) {
	l.Helper()
	emit := func(_ context.Context, b triggers.Batch) error {
		for _, e := range b.Events {
			var p payload
			if err := json.Unmarshal(e.Payload, &p); err != nil {
				l.Fatal(err)
			}
			l.keys, l.missed = append(l.keys, e.Key), append(l.missed, p.Missed)
		}
		l.cursor = b.Cursor
		if !b.Next.IsZero() || b.NoNext {
			l.next = b.Next
		}
		return nil
	}
	for {
		err := l.source.Run(l.Context(), l.from(), emit)
		var until *triggers.UntilError
		if !errors.As(err, &until) {
			l.Fatal(err)
		}
		l.naps++
		if until.At.After(end) {
			time.Sleep(time.Until(end)) // simulated
			return
		}
		time.Sleep(time.Until(until.At))
	}
}

func TestRun(t *testing.T) {
	stands := func(c cursor) json.RawMessage {
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	made := func(t *testing.T, fields map[string]any) *source {
		m, err := triggers.Make(Kind, fields)
		if err != nil {
			t.Fatal(err)
		}
		return m.Source.(*source) //nolint:forcetypeassert // it is ours
	}

	t.Run("goes_on_ticking_when_the_clock_was_set_back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now()
			l := &loop{T: t, source: made(t, map[string]any{"every": "1h"})}
			l.cursor = stands(cursor{Every: time.Hour.Microseconds(), Anchor: now.Add(-90 * time.Minute).UnixMicro(), Last: now.Add(1000 * time.Hour).UnixMicro()})
			l.until(now.Add(4 * time.Hour))
			if len(l.keys) != 4 || l.keys[0] != now.Add(30*time.Minute).UTC().Format(instant) {
				t.Errorf("%v", l.keys)
			}
		})
	})

	t.Run("tells_when_it_ticks_next_by_the_clock_as_it_is_now", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now()
			l := &loop{T: t, source: made(t, map[string]any{"cron": "0 * * * *", "timezone": "UTC"})}
			l.cursor = stands(l.source.(*source).fresh(now.Add(10 * time.Hour))) //nolint:forcetypeassert // it is ours
			l.next = now.Add(11 * time.Hour)
			l.until(now.Add(time.Minute))
			if !l.next.Equal(now.Add(time.Hour)) {
				t.Errorf("next at %v", l.next)
			}
		})
	})

	t.Run("what_was_told_before_the_clock_was_set_back_was_not_missed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now()
			l := &loop{T: t, source: made(t, map[string]any{"cron": "0 * * * *", "timezone": "UTC"})}
			l.cursor = stands(l.source.(*source).fresh(now.Add(5 * time.Hour))) //nolint:forcetypeassert // it is ours
			l.until(now.Add(time.Minute))
			time.Sleep(8 * time.Hour) // nobody looks until 08:01, and up to 05:00 all was told
			l.until(time.Now())
			if want := []string{"2000-01-01T08:00:00.000000Z"}; !slices.Equal(l.keys, want) || l.missed[0] != 2 {
				t.Errorf("%v, missed %v", l.keys, l.missed)
			}
		})
	})

	t.Run("a_cron_too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := made(t, map[string]any{"cron": "0 * * * *", "timezone": "Europe/Berlin"})
			c := s.fresh(time.Now().AddDate(1, 0, 0))
			l := &loop{T: t, source: s, cursor: stands(c)}
			l.until(time.Now().Add(3 * time.Hour))
			if want := []string{"2000-01-01T01:00:00.000000Z", "2000-01-01T02:00:00.000000Z", "2000-01-01T03:00:00.000000Z"}; !slices.Equal(l.keys, want) {
				t.Errorf("%v", l.keys)
			}
		})
	})

	t.Run("runs_no_more_often_than_it_ticks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := &loop{T: t, source: made(t, map[string]any{"cron": "0 3 * * *", "timezone": "UTC"})}
			l.until(time.Now().AddDate(0, 0, 10))
			if len(l.keys) != 10 || l.naps > 12 {
				t.Errorf("%d ticks with %d runs", len(l.keys), l.naps)
			}
		})
	})

	t.Run("takes_over_cursors_of_the_first_release", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			now := time.Now()
			l := &loop{T: t, source: made(t, map[string]any{"time_gap": int64(600)}), cursor: json.RawMessage(`{"every":600000000,"anchor":946684740000000,"last":946684740000000}`)}
			l.until(now.Add(time.Hour))
			if len(l.keys) != 6 || l.keys[0] != "2000-01-01T00:09:00.000000Z" {
				t.Errorf("%v", l.keys)
			}
		})
	})

	t.Run("an_unreadable_cursor_is_an_error", func(t *testing.T) {
		err := made(t, map[string]any{"every": "1m"}).Run(t.Context(), triggers.From{Cursor: json.RawMessage(`[]`)}, nil)
		if err == nil {
			t.Error("it is taken")
		}
	})

	t.Run("is_woken_by_nothing_between_its_instants", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"cron":"0 3 1 7 *","timezone":"UTC"`)
			before := w.ledger.Records()
			wait(30 * 24 * time.Hour)
			if n := w.ledger.Records(); n != before {
				t.Errorf("%d batches while nothing was due", n-before)
			}
		})
	})
}

func TestEvent_tells_the_instant_as_the_zone_shows_it(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr, _, err := w.manager.Add(t.Context(), []byte(`{"name":"t","kind":"time","lattice":"tick","overlap":"allow","cron":"0 0 * * *","timezone":"Asia/Tokyo",
			"inputs":{"at":"report-${{ event.date }} ${{ event.local }} ${{ event.time }} ${{ event.kind }} ${{ event.backfill }}","missed":"${{ event.missed }}"}}`), triggers.Principal{})
		if err != nil {
			t.Fatal(err)
		}
		wait(24 * time.Hour)
		want := `{"at":"report-2000-01-02 2000-01-02T00:00:00+09:00 2000-01-01T15:00:00.000000Z tick false","missed":0}`
		if got := w.inputs(tr.ID); len(got) != 1 || got[0] != want {
			t.Errorf("%v", got)
		}
	})
}
