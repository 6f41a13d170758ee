package triggers

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// windowSize bounds the undecided events kept in memory; the rest are rows. Tests make
// it small.
var windowSize = 1024

// aside counts undecided events that are not kept in memory: what they wait for does
// not come by itself, and they hold up nobody.
type aside struct {
	incomplete, loops int
	loop              string // a file of those held for a loop
}

// limit is how many undecided events are kept in memory; a whole batch has to fit.
func (k *keeper) limit() int { return max(windowSize, 2*k.plan.gate.Size) }

// refillable tells whether there may be older rows, and room for many.
func (k *keeper) refillable() bool { return k.behind && k.limit()-len(k.window) >= k.limit()/2 }

// refill loads older rows into the window.
func (k *keeper) refill(ctx context.Context) error {
	if !k.refillable() {
		return nil
	}
	free := k.limit() - len(k.window)
	events, err := k.m.ledger.Window(ctx, k.id, k.after, free)
	if err != nil {
		return fmt.Errorf("read undecided events: %w", err)
	}
	now := time.Now()
	for _, e := range events {
		e.At = byClock(e.At, now)
		k.window = append(k.window, Pending{Event: e})
		k.after = e.Seq
	}
	k.behind = len(events) == free
	return nil
}

// undecided keeps the events that are to be looked at again, in order.
func (k *keeper) undecided(pending []Pending) []Pending {
	for len(pending) > 0 && final(pending[0].State) { // most often the oldest are
		pending[0] = Pending{}
		pending = pending[1:]
	}
	left := slices.DeleteFunc(pending, func(p Pending) bool { return final(p.State) || k.putAside(&p) })
	if len(left) == 0 {
		return nil // an idle trigger keeps no window
	}
	return left
}

// putAside tells whether an event waits for something that the gate doesn't see: an
// amendment, or somebody's decision. It is counted.
func (k *keeper) putAside(p *Pending) bool {
	if p.Check.Hold == "" || p.Check.Hold == ReasonTrouble || p.State != EventHeld || p.Reason != p.Check.Hold {
		return false
	}
	if p.Reason == ReasonLoop {
		k.aside.loops++
		k.aside.loop, _ = p.fields["path"].(string)
	} else {
		k.aside.incomplete++
	}
	return true
}
