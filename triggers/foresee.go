package triggers

import (
	"context"
	"fmt"
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
	held, skipped := Verdict{State: EventHeld, Reason: ReasonBacklog}, Verdict{State: EventSkipped, Reason: k.still()}
	if still := k.still(); still != "" {
		held.Reason = still
	}
	for i := len(k.window); i < len(all); i++ {
		if k.still() != "" && k.plan.made.SkipPaused && !all[i].backfilled() {
			skipped.Events = append(skipped.Events, i)
		} else {
			held.Events = append(held.Events, i)
		}
	}
	verdicts := slices.DeleteFunc([]Verdict{skipped, held}, func(v Verdict) bool { return len(v.Events) == 0 })
	return all, verdicts, Rest{}, nil
}

// ownVerdicts are those that may be stored with the new events they concern: none
// while older ones are decided too, or may be when they are amended: those go first;
// and none when one says of an event that another is there instead and that one is
// known already, and dropped.
func (k *keeper) ownVerdicts(ctx context.Context, verdicts []Verdict, all []Pending, old int) ([]Verdict, error) {
	if amends(all[old:]) {
		return nil, nil
	}
	var own []Verdict
	for _, v := range verdicts {
		switch {
		case v.Cancel > 0:
		case v.Events[0] >= old: // positions ascend
			own = append(own, v)
		case final(v.State):
			return nil, nil
		}
	}
	if len(all) > old+1 && slices.ContainsFunc(own, yields) {
		if fresh, err := k.allNew(ctx, all[old:]); !fresh || err != nil {
			return nil, err
		}
	}
	return own, nil
}

// amends tells whether some of the events may amend others.
func amends(events []Pending) bool {
	return slices.ContainsFunc(events, func(p Pending) bool { return p.Amends })
}

// allNew tells whether the ledger will drop none of the events.
func (k *keeper) allNew(ctx context.Context, events []Pending) (bool, error) {
	keys := make([]string, len(events))
	for i := range events {
		keys[i] = events[i].Key
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) < len(events) {
		return false, nil
	}
	known, err := k.m.ledger.Known(ctx, k.id, keys)
	if err != nil {
		return false, fmt.Errorf("look up new events: %w", err)
	}
	return len(known) == 0, nil
}

// reserve says of new events that may have to wait for others, and that nothing else is
// said of, that they do: those that may not fit into memory, and with an amendment all.
func (k *keeper) reserve(own []Verdict, all []Pending, old int) []Verdict {
	from := max(old, k.limit())
	if amends(all[old:]) {
		from = old
	}
	if from >= len(all) {
		return own
	}
	said := make([]bool, len(all))
	for _, v := range own {
		for _, at := range v.Events {
			said[at] = true
		}
	}
	rest := Verdict{State: EventHeld, Reason: ReasonBacklog}
	for at := from; at < len(all); at++ {
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
