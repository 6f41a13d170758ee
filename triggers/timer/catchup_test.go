package timer

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/triggers"
)

func TestDue(t *testing.T) {
	t.Run("accounts_for_each_instant_once_however_it_is_asked", rapid.MakeCheck(func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "every")).Truncate(time.Microsecond)
		p := policy{
			grace:   inTime,
			catchUp: rapid.SampledFrom([]string{catchUpNone, catchUpLast, catchUpAll}).Draw(t, "catch_up"),
			window:  time.Duration(rapid.Int64Range(int64(time.Minute), int64(10*time.Hour)).Draw(t, "window")),
			most:    rapid.Int64Range(1, 50).Draw(t, "cap"),
		}
		s := rate{anchor, every}
		last, now, total := anchor, anchor, int64(0)
		for range rapid.IntRange(1, 50).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "pass")).Truncate(time.Microsecond))
			room := rapid.Int64Range(0, 60).Draw(t, "room")
			ticks, l := p.due(s, span{last: last, high: last, end: now, now: now}, room)
			before := last
			for _, tick := range ticks {
				if !tick.at.After(before) || tick.at.After(now) || tick.at.Sub(anchor)%every != 0 {
					t.Fatalf("ticks %v after %v", ticks, last)
				}
				before = tick.at
				total += tick.missed + 1
			}
			if p.catchUp == catchUpAll && (int64(len(ticks)) > min(p.most, room) || len(ticks) > 0 && now.Sub(ticks[0].at) > p.window) {
				t.Fatalf("%d ticks, the first at %v", len(ticks), ticks[0].at)
			}
			if p.catchUp != catchUpAll && len(ticks) > 1 {
				t.Fatalf("%d ticks with %s", len(ticks), p.catchUp)
			}
			if l.n > 0 && (!l.at.After(last) || len(ticks) > 0 && !l.at.Before(ticks[0].at)) {
				t.Fatalf("left %+v beside %v after %v", l, ticks, last)
			}
			total += l.n
			if newest := tail(s, last, now, 1); len(newest) > 0 {
				last = newest[0]
			}
		}
		if want := int64(now.Sub(anchor) / every); total != want {
			t.Fatalf("%d instants, want %d", total, want)
		}
	}))

	t.Run("before_the_anchor_it_ticks_too_when_the_clock_was_set_back_so_far", func(t *testing.T) {
		now := anchor.Add(-90 * time.Minute)
		ticks, l := policy{catchUp: catchUpLast}.due(rate{anchor, time.Hour}, span{last: anchor.Add(-30 * time.Hour), high: anchor, end: now, now: now}, 1)
		if len(ticks) != 1 || !ticks[0].at.Equal(anchor.Add(-2*time.Hour)) || ticks[0].missed != 0 || l.n != 0 {
			t.Errorf("%v %+v", ticks, l)
		}
	})

	t.Run("what_was_accounted_for_is_not_missed_when_the_clock_comes_forward_again", func(t *testing.T) {
		for catchUp, want := range map[string]int64{catchUpLast: 2, catchUpAll: 2, catchUpNone: 2} {
			now := anchor.Add(7 * time.Hour)
			p := policy{catchUp: catchUp, most: 1, window: time.Hour}
			ticks, l := p.due(rate{anchor, time.Hour}, span{last: time.Unix(0, 0), high: anchor.Add(5 * time.Hour), end: now, now: now}, 1)
			if n := ticks[0].missed + 1 + l.n; len(ticks) != 1 || n != want {
				t.Errorf("%s: %v %+v", catchUp, ticks, l)
			}
		}
	})
}

func TestTail_is_what_a_walk_would_find(t *testing.T) {
	list1 := list{anchor, anchor.Add(time.Microsecond), anchor.Add(time.Second), anchor.AddDate(3, 0, 0)}
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.SampledFrom([]schedule{
			rate{anchor.Add(1234 * time.Microsecond), time.Second},
			rate{anchor, 90 * time.Minute},
			list1,
			list{},
			cronIn(t, "*/20 9-17 * * mon-fri", "Europe/Berlin", dst{gapShift, foldFirst}),
			cronIn(t, "0 0 1 jan *", "Europe/Berlin", dst{gapShift, foldFirst}),
		}).Draw(rt, "schedule")
		from := anchor.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(1000*time.Hour)).Draw(rt, "from")).Truncate(time.Microsecond))
		to := from.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(rt, "to")))
		var all []time.Time
		for at := s.next(from); !at.IsZero() && !at.After(to); at = s.next(at) {
			if !at.After(from) {
				rt.Fatalf("%v is not after %v", at, from)
			}
			all = append(all, at)
		}
		n := rapid.IntRange(0, 20).Draw(rt, "n")
		if got, want := tail(s, from, to, int64(n)), all[max(0, len(all)-n):]; !slices.EqualFunc(got, want, time.Time.Equal) {
			rt.Fatalf("%v, want %v", got, want)
		}
		if c := s.count(from, to); c != int64(len(all)) {
			rt.Fatalf("%d, want %d", c, len(all))
		}
	})
}

// walked counts how often somebody asks for the next instant.
type walked struct {
	schedule
	steps int
}

func (w *walked) next(t time.Time) time.Time {
	w.steps++
	return w.schedule.next(t)
}

func TestTail_does_not_walk_through_years_of_downtime(t *testing.T) {
	w := &walked{schedule: rate{anchor, time.Second}}
	to := anchor.AddDate(10, 0, 0)
	if got := tail(w, anchor, to, 3); len(got) != 3 || !got[2].Equal(to) || w.steps > 10 {
		t.Errorf("%v after %d steps", got, w.steps)
	}
}

func TestJitter(t *testing.T) {
	t.Run("keeps_the_order_and_stays_below_its_bound", rapid.MakeCheck(func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(1, 1000).Draw(t, "every")) * time.Second
		j := jitter{most: time.Duration(rapid.Int64Range(1, every.Microseconds()).Draw(t, "most")) * time.Microsecond, name: rapid.String().Draw(t, "name")}
		s := rate{anchor, every}
		before := time.Time{}
		for at, n := s.next(anchor), 0; n < 20; at, n = s.next(at), n+1 {
			wait := j.of(s, at)
			if wait < 0 || wait >= j.most || wait != j.of(s, at) || !at.Add(wait).After(before) {
				t.Fatalf("waits %v at %v", wait, at)
			}
			before = at.Add(wait)
		}
	}))

	t.Run("differs_from_trigger_to_trigger", func(t *testing.T) {
		waits := map[time.Duration]bool{}
		for _, name := range []string{"a", "b", "c", "d"} {
			waits[jitter{time.Minute, name}.of(rate{anchor, time.Hour}, anchor)] = true
		}
		if len(waits) != 4 {
			t.Errorf("%v", waits)
		}
	})

	t.Run("a_tick_waits_for_its_turn_and_keeps_its_instant", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"cron":"0 * * * *","timezone":"UTC","jitter":"30m"`)
			waited := jitter{30 * time.Minute, "t"}.of(rate{time.Now(), time.Hour}, time.Now().Add(time.Hour))
			if want := time.Now().Add(time.Hour + waited); waited == 0 || !tr.NextAt.Equal(want) {
				t.Errorf("next at %v, want %v", tr.NextAt, want)
			}
			wait(time.Hour + waited - time.Microsecond)
			w.tells(tr.ID)
			wait(time.Microsecond)
			w.tells(tr.ID, "2000-01-01T01:00:00Z 0 fired event")
			w.stop() // and is caught up with when it was due
			sleepTo(t, "2000-01-01T03:30:00Z")
			w.start()
			synctest.Wait()
			w.tells(tr.ID, "2000-01-01T01:00:00Z 0 fired event", "2000-01-01T03:00:00Z 1 fired event")
		})
	})
}

func TestJitter_holds_for_the_newest_after_a_downtime_too(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"cron":"0 * * * *","timezone":"UTC","jitter":"30m"`)
		w.stop()
		sleepTo(t, "2000-01-01T03:00:01Z")
		w.start()
		synctest.Wait()
		w.tells(tr.ID, "2000-01-01T02:00:00Z 1 fired event")
		at := time.Now().Add(-time.Second)
		wait(time.Until(at.Add(jitter{30 * time.Minute, "t"}.of(rate{at, time.Hour}, at))))
		w.tells(tr.ID, "2000-01-01T02:00:00Z 1 fired event", "2000-01-01T03:00:00Z 0 fired event")
	})
}

func TestJitter_is_no_lateness_of_which_none_would_skip(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"cron":"0 * * * *","timezone":"UTC","jitter":"1h","catch_up":"none"`)
		wait(6 * time.Hour)
		es := w.ledger.Events(tr.ID)
		if len(es) < 4 {
			t.Errorf("%d ticks", len(es))
		}
		for _, e := range es {
			if e.State != triggers.EventFired {
				t.Errorf("%s %s %s", e.Key, e.State, e.Reason)
			}
		}
	})
}

// pain point 37: what is missed during downtime is simply gone; pain point 38: hundreds
// start at once after a stall; pain point 40: the default is too short, or too long.
func TestCatchUp(t *testing.T) {
	for _, tt := range []struct {
		name, fields string
		down         time.Duration
		want         []string
	}{
		{"last_runs_once_and_counts_the_others", `"every":"1h"`, 5 * time.Hour, []string{"2000-01-01T05:00:00Z 4 fired event"}},
		{"hundreds_of_missed_ticks_start_one_dispatch", `"every":"10s"`, 23 * time.Hour, []string{"2000-01-01T23:00:00Z 8279 fired event"}},
		{"all_run_in_order", `"every":"1h","catch_up":"all"`, 3 * time.Hour, []string{"2000-01-01T01:00:00Z 0 fired event", "2000-01-01T02:00:00Z 0 fired event", "2000-01-01T03:00:00Z 0 fired event"}},
		{"all_are_bounded_by_cap", `"every":"1h","catch_up":"all","cap":2`, 5 * time.Hour, []string{"2000-01-01T03:00:00Z 2 skipped cap", "2000-01-01T04:00:00Z 0 fired event", "2000-01-01T05:00:00Z 0 fired event"}},
		{"all_are_bounded_by_the_window", `"every":"1h","catch_up":"all","window":"90m"`, 5 * time.Hour, []string{"2000-01-01T03:00:00Z 2 skipped window", "2000-01-01T04:00:00Z 0 fired event", "2000-01-01T05:00:00Z 0 fired event"}},
		{"none_records_what_it_leaves_out", `"every":"1h","catch_up":"none"`, 5*time.Hour + 2*time.Minute, []string{"2000-01-01T05:00:00Z 4 skipped catch_up"}},
		{"none_is_not_shaken_by_a_restart", `"every":"1h","catch_up":"none"`, time.Hour + 30*time.Second, []string{"2000-01-01T01:00:00Z 0 fired event"}},
		{"none_runs_what_is_due_now_only", `"every":"1h","catch_up":"none"`, 5 * time.Hour, []string{"2000-01-01T04:00:00Z 3 skipped catch_up", "2000-01-01T05:00:00Z 0 fired event"}},
		{"a_day_is_the_default_window", `"cron":"0 12 * * *","timezone":"UTC"`, 37 * time.Hour, []string{"2000-01-02T12:00:00Z 1 fired event"}},
		{"older_than_the_window_is_skipped", `"cron":"0 12 1 * *","timezone":"UTC"`, 37 * time.Hour, []string{"2000-01-01T12:00:00Z 0 skipped window"}},
		{"a_wider_window_is_taken", `"cron":"0 12 1 * *","timezone":"UTC","window":"7d"`, 37 * time.Hour, []string{"2000-01-01T12:00:00Z 0 fired event"}},
		{"waiting_on_purpose_is_not_late", `"every":"2h","jitter":"2h","window":"1m"`, 4*time.Hour - time.Second, []string{"2000-01-01T02:00:00Z 0 fired event"}},
		{"instants_are_caught_up_with", `"at":["2000-01-01T01:00:00Z","2000-01-01T02:00:00Z","2001-01-01T00:00:00Z"],"catch_up":"all"`, 5 * time.Hour, []string{"2000-01-01T01:00:00Z 0 fired event", "2000-01-01T02:00:00Z 0 fired event"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(tt.fields)
				w.stop()
				wait(tt.down)
				w.start()
				synctest.Wait()
				w.tells(tr.ID, tt.want...)
				w.stop() // and a second start finds nothing more
				w.start()
				synctest.Wait()
				w.tells(tr.ID, tt.want...)
			})
		})
	}
}

func TestCatchUp_all_queues_by_default_so_that_each_runs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr, _, err := w.manager.Add(t.Context(), []byte(`{"name":"t","kind":"time","lattice":"tick","every":"1h","catch_up":"all"}`), triggers.Principal{})
		if err != nil {
			t.Fatal(err)
		}
		w.stop()
		wait(3*time.Hour + time.Minute)
		w.start()
		synctest.Wait()
		for n := range 3 {
			if ds := w.ledger.Dispatches(tr.ID); len(ds) != n+1 {
				t.Fatalf("%d dispatches after %d ends", len(ds), n)
			}
			w.ledger.EndDispatches(tr.ID, 1)
			w.manager.DispatchEnded(tr.ID)
			wait(time.Second)
		}
	})
}

// pain point 39: switched off is not down. Each has its own policy.
func TestPause(t *testing.T) {
	t.Run("last_holds_one_tick_and_all_hold_up_to_cap", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"every":"1h","catch_up":"all","cap":2`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			wait(5 * time.Hour)
			w.tells(tr.ID, "2000-01-01T01:00:00Z 0 held paused", "2000-01-01T02:00:00Z 0 held paused")
			w.stop()
			wait(3 * time.Hour)
			w.start()
			wait(time.Hour)
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			wait(time.Hour)
			w.tells(tr.ID, "2000-01-01T01:00:00Z 0 fired event", "2000-01-01T02:00:00Z 0 fired event",
				"2000-01-01T09:00:00Z 6 skipped cap", "2000-01-01T10:00:00Z 0 fired event")
		})
	})

	t.Run("what_found_no_room_is_told_when_there_is_some_though_no_tick_follows", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"at":["2000-01-01T01:00:00Z","2000-01-01T02:00:00Z","2000-01-01T03:00:00Z"],"timezone":"UTC","catch_up":"all","cap":1`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			wait(5 * time.Hour)
			before := w.ledger.Records()
			wait(5 * time.Hour)
			if n := w.ledger.Records(); n != before {
				t.Errorf("%d batches while there is no room", n-before)
			}
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			wait(recheck)
			w.tells(tr.ID, "2000-01-01T01:00:00Z 0 fired event", "2000-01-01T03:00:00Z 1 skipped cap")
		})
	})

	t.Run("none_skips_what_happens_meanwhile", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"every":"1h","catch_up":"none"`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			wait(2 * time.Hour)
			if _, err := w.manager.Resume(t.Context(), "t", ""); err != nil { // nothing is held, nothing is asked
				t.Fatal(err)
			}
			wait(time.Hour)
			w.tells(tr.ID, "2000-01-01T01:00:00Z 0 skipped paused", "2000-01-01T02:00:00Z 0 skipped paused", "2000-01-01T03:00:00Z 0 fired event")
		})
	})

	t.Run("resumed_with_skip_nothing_is_run_again", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"cron":"0 * * * *","timezone":"UTC"`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			wait(10 * time.Hour)
			if _, err := w.manager.Resume(t.Context(), "t", "skip"); err != nil {
				t.Fatal(err)
			}
			wait(time.Hour)
			w.tells(tr.ID, "2000-01-01T10:00:00Z 9 skipped backlog_skipped", "2000-01-01T11:00:00Z 0 fired event")
		})
	})
}
