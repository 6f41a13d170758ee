package triggers

import (
	"slices"
	"time"
)

func (d *decider) holdAll(b batch, reason string) {
	for _, i := range b {
		d.hold(i, reason)
	}
}

func (d *decider) hold(i int, reason string) {
	if e := &d.pending[i]; e.State != EventHeld || e.Reason != reason {
		d.group(i, EventHeld, reason)
	}
}

func (d *decider) skip(i int, reason string) { d.group(i, EventSkipped, reason) }

func (d *decider) group(i int, s EventState, reason string) {
	for n := range d.groups {
		if g := &d.groups[n]; g.State == s && g.Reason == reason {
			g.Events = append(g.Events, i)
			return
		}
	}
	d.groups = append(d.groups, Verdict{Events: []int{i}, State: s, Reason: reason})
}

// verdicts joins what was decided: firings in order, then skips and holds.
func (d *decider) verdicts() []Verdict {
	vs := d.ends
	if d.cancel > 0 {
		vs = append(vs, Verdict{Cancel: d.cancel})
	}
	for _, state := range []EventState{EventSkipped, EventHeld} {
		for _, g := range d.groups {
			if g.State == state {
				slices.Sort(g.Events)
				vs = append(vs, g)
			}
		}
	}
	return vs
}

func (d *decider) wake(at time.Time) {
	if d.rest.Wake.IsZero() || at.Before(d.rest.Wake) {
		d.rest.Wake = at
	}
}
