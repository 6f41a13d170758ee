package triggers

import (
	"context"
	"slices"
)

// foresee decides about the window and the new events together, before they are
// stored. Behind a backlog nothing is decided: older events go first.
func (k *keeper) foresee(ctx context.Context, events []Pending) ([]Pending, []Verdict, Rest, error) {
	all := append(k.window, events...) // an error forgets the window, so nothing has to be taken back
	if !k.behind {
		verdicts, rest, err := k.weigh(ctx, all)
		return all, verdicts, rest, err
	}
	held, skipped := Verdict{State: EventHeld, Reason: ReasonBacklog}, Verdict{State: EventSkipped, Reason: ReasonPaused}
	if k.paused {
		held.Reason = ReasonPaused
	}
	for i := len(k.window); i < len(all); i++ {
		if k.paused && k.plan.made.SkipPaused && !all[i].backfilled() {
			skipped.Events = append(skipped.Events, i)
		} else {
			held.Events = append(held.Events, i)
		}
	}
	verdicts := slices.DeleteFunc([]Verdict{skipped, held}, func(v Verdict) bool { return len(v.Events) == 0 })
	return all, verdicts, Rest{}, nil
}

// ownVerdicts are those that may be stored with the new events they concern: none
// while older ones are decided too, which go first; and none when one says of an event
// that another is there instead, since that one may be known already, and dropped.
func ownVerdicts(verdicts []Verdict, old, events int) []Verdict {
	var own []Verdict
	for _, v := range verdicts {
		switch {
		case v.Cancel > 0:
		case v.Events[0] >= old: // positions ascend
			if events > 1 && yields(v) {
				return nil
			}
			own = append(own, v)
		case final(v.State):
			return nil
		}
	}
	return own
}

// reserve says of events that may not fit into memory, and that nothing else is said
// of, that others are before them.
func (k *keeper) reserve(own []Verdict, events, old int) []Verdict {
	from := max(old, k.limit())
	if from >= events {
		return own
	}
	said := make([]bool, events)
	for _, v := range own {
		for _, at := range v.Events {
			said[at] = true
		}
	}
	rest := Verdict{State: EventHeld, Reason: ReasonBacklog}
	for at := from; at < events; at++ {
		if !said[at] {
			rest.Events = append(rest.Events, at)
		}
	}
	if len(rest.Events) == 0 {
		return own
	}
	return append(own, rest)
}

// singly holds each event for itself, so that one that is known already leaves the
// others their reason.
func singly(verdicts []Verdict) []Verdict {
	var out []Verdict
	for _, v := range verdicts {
		if v.State != EventHeld {
			out = append(out, v)
			continue
		}
		for i := range v.Events {
			out = append(out, Verdict{Events: v.Events[i : i+1], State: v.State, Reason: v.Reason})
		}
	}
	return out
}

// yields tells whether events end because of others.
func yields(v Verdict) bool {
	switch v.Reason {
	case ReasonSuperseded, ReasonDuplicate, ReasonOverlap:
		return v.State == EventSkipped
	}
	return false
}
