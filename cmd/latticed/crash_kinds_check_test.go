package main

import (
	"slices"
	"time"
)

// check compares what happened with what came of it.
func (l *life) check(want map[string][]string, ticked time.Duration) {
	l.t.Helper()
	for _, k := range l.kinds {
		got := l.of(k.name)
		firings := len(got)
		if k.fields["sweep"] != nil {
			firings /= 3
		}
		l.checkEvents(k.name, firings)
		if k.happen == nil {
			l.checkSeconds(k.name, got, ticked)
			continue
		}
		slices.Sort(got)
		slices.Sort(want[k.name])
		l.t.Logf("%s: %d things happened", k.name, len(want[k.name]))
		if !slices.Equal(got, want[k.name]) {
			l.t.Errorf("%s: %d things happened, %d were dispatched; missing %v, too many %v", k.name, len(want[k.name]), len(got),
				without(want[k.name], got), without(got, want[k.name]))
		}
	}
	for e, attempts := range l.diary.check(l.t) {
		if len(attempts) != 1 {
			l.t.Errorf("%s ran as %v", e, attempts)
		}
	}
}

// checkNothingWaits looks into the database of a daemon that has stopped: what clocks
// still ticked after their pause is all that has no end.
func (l *life) checkNothingWaits() {
	l.t.Helper()
	l.rows(map[string]int{
		"SELECT count(*) FROM events e JOIN triggers t ON t.n = e.trigger WHERE e.firing IS NULL AND t.kind <> 'time'":                                                0,
		"SELECT coalesce(sum(json_array_length(dispatches)), 0) - (SELECT count(*) FROM dispatches WHERE firing_id IS NOT NULL) FROM firings":                         0,
		"SELECT count(*) FROM dispatches d WHERE firing_id IS NOT NULL AND firing_id NOT IN (SELECT id FROM firings)":                                                 0,
		"SELECT count(*) - count(DISTINCT d.inputs) FROM dispatches d JOIN firings f ON f.id = d.firing_id JOIN triggers t ON t.n = f.trigger WHERE t.name = 'swept'": 0,
		"SELECT count(*) FROM (SELECT 1 FROM firings f JOIN triggers t ON t.n = f.trigger WHERE t.name <> 'swept' AND json_array_length(f.dispatches) <> 1)":          0,
	})
}

// of returns what the dispatches of a trigger were about, all of which have ended well.
func (v *victim) of(trigger string) []string {
	v.t.Helper()
	type one struct {
		ID, Status string
		Inputs     struct{ What string }
	}
	var what []string
	for _, x := range everything[one](v, "/dispatches?trigger="+trigger+"&") {
		if x.Status != "completed" {
			if s := v.ended(x.ID).Status; s != "completed" {
				v.t.Errorf("%s: dispatch %s of %q is %s", trigger, x.ID, x.Inputs.What, s)
			}
		}
		what = append(what, x.Inputs.What)
	}
	return what
}

// checkEvents looks that each of so many firings is of one event, and has no other.
func (v *victim) checkEvents(trigger string, fired int) {
	v.t.Helper()
	type event struct {
		Key, State, Reason string
		FiringID           string `json:"firing_id"`
	}
	firings, keys := map[string]bool{}, map[string]bool{}
	for _, e := range everything[event](v, "/triggers/"+trigger+"/events?") {
		if keys[e.Key] {
			v.t.Errorf("%s: event %q was stored twice", trigger, e.Key)
		}
		keys[e.Key] = true
		switch {
		case e.State == "held" && e.Reason == "paused": // a tick after the last look
		case e.State != "fired" || firings[e.FiringID]:
			v.t.Errorf("%s: event %q is %s (%s) by firing %q", trigger, e.Key, e.State, e.Reason, e.FiringID)
		default:
			firings[e.FiringID] = true
		}
	}
	if len(firings) != fired {
		v.t.Errorf("%s: %d events have fired, want %d", trigger, len(firings), fired)
	}
}

// checkSeconds looks that there was one dispatch for each second, and for all of the
// time that the daemon was killed in.
func (v *victim) checkSeconds(trigger string, times []string, took time.Duration) {
	v.t.Helper()
	slices.Sort(times)
	var last time.Time
	for _, text := range times {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			v.t.Fatal(err)
		}
		if !last.IsZero() && at.Sub(last) != time.Second {
			v.t.Errorf("%s: after %s comes %s", trigger, last, at)
		}
		last = at
	}
	if n := int(took / time.Second); len(times) < n-2 {
		v.t.Errorf("%s ticked %d times in %d seconds", trigger, len(times), n)
	}
}

// without returns the members of a that are not in b, the first few.
func without(a, b []string) []string {
	var left []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			left = append(left, s)
		}
	}
	return left[:min(len(left), 5)]
}
