package timer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestWeeks(t *testing.T) {
	t.Run("a_nightly_report_over_the_change_in_spring", func(t *testing.T) { // pain point 45
		inBubbleFrom(t, "2000-03-26T12:00:00Z", func(t *testing.T, w *world) {
			tr := w.add(`"cron":"30 2 * * *","timezone":"America/New_York"`)
			var want []string
			for day := 27; day < 27+14; day++ {
				at := time.Date(2000, 3, day, 2, 30, 0, 0, mustZone(t, "America/New_York"))
				if at.Format(date) == "2000-04-02" { // 02:30 is left out
					at = time.Date(2000, 4, 2, 3, 0, 0, 0, at.Location())
				}
				want = append(want, at.Format(time.RFC3339)+" 0 fired event")
			}
			for range 7 { // restarted each second day
				wait(47 * time.Hour)
				w.stop()
				wait(time.Hour)
				w.start()
			}
			synctest.Wait()
			w.tells(tr.ID, want...)
		})
	})

	t.Run("a_nightly_report_over_the_change_in_autumn", func(t *testing.T) { // pain point 46
		for fold, want := range map[string]string{
			"first": "28T01:30-0400 29T01:30-0400 30T01:30-0500", "last": "28T01:30-0400 29T01:30-0500 30T01:30-0500", "both": "28T01:30-0400 29T01:30-0400 29T01:30-0500 30T01:30-0500",
		} {
			inBubbleFrom(t, "2000-10-27T12:00:00Z", func(t *testing.T, w *world) {
				tr := w.add(`"cron":"30 1 * * *","timezone":"America/New_York","dst":{"fold":"` + fold + `"}`)
				wait(72 * time.Hour)
				var got []string
				for _, line := range w.told(tr.ID) {
					at, err := time.Parse(time.RFC3339, strings.Fields(line)[0])
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, at.Format("02T15:04-0700"))
				}
				if !slices.Equal(got, strings.Fields(want)) {
					t.Errorf("fold %s: %v, want %s", fold, got, want)
				}
			})
		}
	})

	t.Run("down_over_the_change_everything_is_caught_up_with", func(t *testing.T) { // pain points 37 and 47
		inBubbleFrom(t, "2000-04-02T05:30:00Z", func(t *testing.T, w *world) {
			tr := w.add(`"cron":"0 */2 * * *","timezone":"America/New_York","catch_up":"all"`)
			w.stop()
			wait(6 * time.Hour)
			w.start()
			wait(3 * time.Hour)
			w.tells(tr.ID, "2000-04-02T03:00:00-04:00 0 fired event", "2000-04-02T04:00:00-04:00 0 fired event", "2000-04-02T06:00:00-04:00 0 fired event",
				"2000-04-02T08:00:00-04:00 0 fired event", "2000-04-02T10:00:00-04:00 0 fired event")
		})
	})

	t.Run("a_month_with_a_pause_an_edit_and_a_downtime", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"cron":"0 2 * * mon-fri","timezone":"Europe/Berlin"`)
			sleepTo(t, "2000-01-05T12:00:00Z") // Wednesday; 3, 4 and 5 have ticked
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			sleepTo(t, "2000-01-08T12:00:00Z")
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			sleepTo(t, "2000-01-11T12:00:00Z") // Tuesday
			w.patch(`{"cron":"0 1 * * *"}`)    // 01:00 today is over
			sleepTo(t, "2000-01-13T12:00:00Z")
			w.stop()
			sleepTo(t, "2000-01-16T12:00:00Z")
			w.start()
			synctest.Wait()
			w.tells(tr.ID,
				"2000-01-03T02:00:00+01:00 0 fired event", "2000-01-04T02:00:00+01:00 0 fired event", "2000-01-05T02:00:00+01:00 0 fired event",
				"2000-01-07T02:00:00+01:00 1 fired event", "2000-01-10T02:00:00+01:00 0 fired event", "2000-01-11T02:00:00+01:00 0 fired event",
				"2000-01-12T01:00:00+01:00 0 fired event", "2000-01-13T01:00:00+01:00 0 fired event", "2000-01-16T01:00:00+01:00 2 fired event")
		})
	})
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, ok := loadZone(name)
	if !ok {
		t.Fatalf("there is no zone %s", name)
	}
	return zone
}

// pain point 32: an edit runs an old slot again.
func TestEdit_never_runs_what_was_before_it(t *testing.T) {
	for name, edit := range map[string]struct{ before, patch, next string }{
		"of_the_cron":               {`"cron":"0 2 * * *","timezone":"UTC"`, `{"cron":"0 1 * * *"}`, "2000-01-03T01:00:00Z"},
		"of_the_cron_and_back":      {`"cron":"0 2 * * *","timezone":"UTC"`, `{"cron":"0  2  * * *","timezone":"Etc/UTC"}`, "2000-01-03T02:00:00Z"},
		"of_the_zone":               {`"cron":"0 2 * * *","timezone":"UTC"`, `{"timezone":"Asia/Tokyo"}`, "2000-01-04T02:00:00+09:00"},
		"of_the_rules_for_changes":  {`"cron":"0 2 * * *","timezone":"UTC"`, `{"dst":{"gap":"skip"}}`, "2000-01-03T02:00:00Z"},
		"from_a_cron_to_a_rate":     {`"cron":"0 2 * * *","timezone":"UTC"`, `{"cron":null,"every":"1h"}`, "2000-01-02T19:00:00Z"},
		"from_a_cron_to_instants":   {`"cron":"0 2 * * *","timezone":"UTC"`, `{"cron":null,"at":["2000-01-02T12:00:00Z","2000-01-02T20:00:00Z"]}`, "2000-01-02T20:00:00Z"},
		"from_a_rate_to_completion": {`"every":"2h"`, `{"after":"completion"}`, "2000-01-02T20:00:00Z"},
		"from_a_rate_to_a_cron":     {`"every":"7h"`, `{"every":null,"cron":"30 * * * *"}`, "2000-01-02T18:30:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(edit.before)
				sleepTo(t, "2000-01-02T18:00:00Z")
				w.ledger.EndDispatches(tr.ID, 1000)
				old := len(w.told(tr.ID))
				w.patch(edit.patch)
				if got := w.told(tr.ID); len(got) != old {
					t.Fatalf("the edit ran %v", got[old:])
				}
				next, err := time.Parse(time.RFC3339, edit.next)
				if err != nil {
					t.Fatal(err)
				}
				wait(time.Until(next))
				if got := w.told(tr.ID)[old:]; len(got) != 1 || !strings.HasPrefix(got[0], edit.next+" 0 ") {
					t.Errorf("%v, want one at %s", got, edit.next)
				}
			})
		})
	}
}

// pain point 22: one slot starts two runs; pain point 30: two equal crons become one.
func TestIdentity(t *testing.T) {
	t.Run("a_slot_runs_once_though_the_ledger_said_it_had_failed", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"cron":"0 * * * *","timezone":"UTC"`)
			lies := 0
			w.ledger.FailAfter(func(op string) error {
				if op == "Record" && lies < 3 {
					lies++
					return fmt.Errorf("the answer was lost")
				}
				return nil
			})
			wait(3*time.Hour + 10*time.Minute)
			if ds := w.ledger.Dispatches(tr.ID); len(ds) != 3 || lies != 3 {
				t.Errorf("%d dispatches, %v", len(ds), w.told(tr.ID))
			}
		})
	})

	t.Run("two_triggers_with_the_same_cron_both_tick", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			var ids []string
			for _, name := range []string{"a", "b"} {
				tr, _, err := w.manager.Add(t.Context(), []byte(`{"name":"`+name+`","kind":"time","lattice":"tick","cron":"@hourly","timezone":"UTC"}`), triggers.Principal{})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, tr.ID)
			}
			wait(time.Hour)
			for _, id := range ids {
				w.tells(id, "2000-01-01T01:00:00Z 0 fired event")
			}
		})
	})
}

func TestAt_ticks_at_each_instant_and_then_says_that_nothing_is_left(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"at":["2000-01-03 06:00","2000-01-02T06:00","2000-01-02T05:00:00Z"],"timezone":"Europe/Berlin"`)
		if want := time.Date(2000, 1, 2, 5, 0, 0, 0, time.UTC); !tr.NextAt.Equal(want) {
			t.Errorf("next at %v", tr.NextAt)
		}
		wait(20 * 24 * time.Hour)
		w.tells(tr.ID, "2000-01-02T06:00:00+01:00 0 fired event", "2000-01-03T06:00:00+01:00 0 fired event")
		got, err := w.ledger.Trigger(t.Context(), "t")
		if err != nil || got.State != triggers.Active || got.Reason != "nothing is left to come: every instant of `at` is over" || !got.NextAt.IsZero() {
			t.Errorf("%s: %s, next at %v, %v", got.State, got.Reason, got.NextAt, err)
		}
		w.stop() // what is over is no reason to fail at the next start
		w.start()
		synctest.Wait()
		if got, _ = w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
			t.Errorf("%s: %s", got.State, got.Reason)
		}
	})
}
