package timer

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// lodger is a trigger of the fortnight: what its clock says, and which limits its gate
// has to keep at any moment.
type lodger struct {
	fields string
	// ticks counts naively what there should be after begin and up to end.
	ticks func(begin, end time.Time) int
	max   int  // dispatches in flight; 0: any
	rate  int  // firings in 6 hours; 0: any
	slow  bool // its dispatches take hours
}

// A fortnight over the changes of Berlin, Lord Howe and New York with all sorts of
// clocks and gates, where the daemon is stopped and started at random and dispatches
// end when they like: each tick is accounted for once, as an event or as one that it
// stands for, no event is decided twice, and no limit is exceeded.
// Pain points 22, 25, 37, 38, 43, 45, 46 and 47.
func TestFortnight_of_mixed_clocks_and_gates_accounts_for_each_tick_once(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	inBubbleFrom(t, "2000-03-22T12:00:00Z", func(t *testing.T, w *world) { fortnight(t, w, rand.New(rand.NewPCG(seed, 1))) })
}

func lodgers(t *testing.T, begin time.Time) map[string]lodger {
	lordHowe := mustZone(t, "Australia/Lord_Howe")
	return map[string]lodger{
		"queue":   {fields: `"cron":"*/20 * * * *","timezone":"Europe/Berlin","catch_up":"all","cap":1000,"overlap":"queue","max_in_flight":6`, ticks: each(20 * time.Minute), max: 6},
		"skip":    {fields: `"cron":"0 * * * *","timezone":"America/New_York"`, ticks: each(time.Hour), max: 1, slow: true},
		"latest":  {fields: `"every":"45m","overlap":"queue_latest","max_in_flight":1`, ticks: from(begin, 45*time.Minute), max: 1, slow: true},
		"rate":    {fields: `"every":"30m","catch_up":"all","cap":1000,"overlap":"allow","rate":"13/6h"`, ticks: from(begin, 30*time.Minute), rate: 13},
		"replace": {fields: `"every":"100m","overlap":"replace","max_in_flight":1`, ticks: from(begin, 100*time.Minute), max: 1, slow: true},
		"nightly": {fields: `"cron":"15 2 * * *","timezone":"Australia/Lord_Howe","catch_up":"all","overlap":"allow"`, ticks: func(begin, end time.Time) (n int) {
			for day := begin.In(lordHowe); !day.After(end.Add(24 * time.Hour)); day = day.AddDate(0, 0, 1) {
				if at := time.Date(day.Year(), day.Month(), day.Day(), 2, 15, 0, 0, lordHowe); at.After(begin) && !at.After(end) {
					n++
				}
			}
			return n
		}},
	}
}

// each counts the multiples of a part of the hour, which every zone here shares.
func each(d time.Duration) func(begin, end time.Time) int {
	return func(begin, end time.Time) int { return int(end.Truncate(d).Sub(begin.Truncate(d)) / d) }
}

// from counts the multiples of d after an instant.
func from(anchor time.Time, d time.Duration) func(begin, end time.Time) int {
	return func(_, end time.Time) int { return int(end.Sub(anchor) / d) }
}

func fortnight(t *testing.T, w *world, r *rand.Rand) {
	begin := time.Now()
	all := lodgers(t, begin)
	ids := map[string]string{}
	names := slices.Sorted(maps.Keys(all))
	for _, name := range names {
		tr, _, err := w.manager.Add(t.Context(), []byte(`{"name":"`+name+`","kind":"time","lattice":"tick","inputs":{"at":"${{ event.time }}"},`+all[name].fields+`}`), triggers.Principal{})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = tr.ID
	}
	for time.Since(begin) < 14*24*time.Hour {
		wait(time.Duration(1+r.IntN(90)) * time.Minute)
		if r.IntN(8) == 0 {
			w.stop()
			wait(time.Duration(r.IntN(300)) * time.Minute)
			w.start()
			synctest.Wait()
		}
		for _, name := range names {
			l := all[name]
			if !l.slow || r.IntN(4) == 0 {
				for range w.ledger.EndDispatches(ids[name], 1+r.IntN(8)) {
					w.manager.DispatchEnded(ids[name])
				}
			}
			w.ledger.BeginDispatches(ids[name], r.IntN(3))
		}
		synctest.Wait()
		for name, l := range all {
			w.keeps(name, ids[name], l)
		}
	}
	wait(13 * time.Minute) // between ticks
	for name, l := range all {
		w.paces(name, ids[name], l)
		w.accounts(name, ids[name], l.ticks(begin, time.Now()))
	}
}

// keeps looks that no more is in flight than may be.
func (w *world) keeps(name, id string, l lodger) {
	w.Helper()
	if c, err := w.ledger.Counts(w.Context(), id); err != nil || l.max > 0 && c.InFlight > l.max {
		w.Fatalf("%s: %d dispatches are in flight at %s, %v", name, c.InFlight, time.Now(), err)
	}
}

// paces looks that there were no more firings in any six hours than there may be.
func (w *world) paces(name, id string, l lodger) {
	w.Helper()
	var fired []time.Time
	for _, f := range w.ledger.Firings(id) {
		if f.Decision == triggers.EventFired {
			fired = append(fired, f.At)
		}
	}
	for i := range fired {
		if j := i + l.rate; l.rate > 0 && j < len(fired) && fired[j].Sub(fired[i]) < 6*time.Hour {
			w.Fatalf("%s: more than %d firings from %s to %s", name, l.rate, fired[i], fired[j])
		}
	}
}

// accounts compares what is recorded with what should have been.
func (w *world) accounts(name, id string, want int) {
	w.Helper()
	ticks, fired, open := 0, 0, 0
	at := map[string]bool{}
	for _, e := range w.ledger.Events(id) {
		var p payload
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			w.Fatal(err)
		}
		ticks += 1 + int(p.Missed)
		if at[p.Local] {
			w.Errorf("%s: %s was recorded twice", name, p.Local)
		}
		at[p.Local] = true
		switch e.State {
		case triggers.EventFired:
			fired++
		case triggers.EventHeld:
			open++
		case triggers.EventSkipped:
			if e.Reason == "" {
				w.Errorf("%s: nobody says why %s was skipped", name, p.Local)
			}
		default:
			w.Errorf("%s: %s is %s: %s", name, p.Local, e.State, e.Reason)
		}
	}
	if ticks != want {
		w.Errorf("%s: %d ticks are accounted for, %d should be", name, ticks, want)
	}
	decided := map[string]bool{}
	for _, f := range w.ledger.Firings(id) {
		for _, e := range f.EventIDs {
			if decided[e] {
				w.Errorf("%s: event %s was decided twice", name, e)
			}
			decided[e] = true
		}
	}
	if n := len(w.ledger.Events(id)) - open; len(decided) != n {
		w.Errorf("%s: %d of %d events were decided", name, len(decided), n)
	}
	if ds := w.ledger.Dispatches(id); len(ds) != fired {
		w.Errorf("%s: %d events fired and made %d dispatches", name, fired, len(ds))
	}
	w.Logf("%s: %d ticks, %d fired, %d wait", name, ticks, fired, open)
}
