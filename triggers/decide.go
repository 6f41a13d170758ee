package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
)

const (
	// recheck is how long the gate trusts that it is told of ended dispatches.
	recheck = 30 * time.Second
	// linger is how long a free slot may wait for more to become free, as long as
	// fewer than one in four are.
	linger = 5 * time.Millisecond
	// gateRetry is how soon the gate tries again after the ledger refused.
	gateRetry = time.Second
)

// decideOnce is the kicked gate: it decides what it can and arranges to be woken.
func (k *keeper) decideOnce() {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.show()
	if k.ctx.Err() != nil || k.plan == nil {
		return
	}
	if k.reset.Swap(false) {
		k.reclock()
	}
	err := contained(func() error { return k.decideAll(k.ctx) })
	if k.ctx.Err() != nil {
		return
	}
	if errors.Is(err, ErrRevised) {
		k.outdated()
		return
	}
	k.gateHealth(err)
	if err != nil {
		k.doubt()
	}
}

// decideAll decides until nothing changes. k.mu is held.
func (k *keeper) decideAll(ctx context.Context) error {
	for {
		if err := k.refill(ctx); err != nil {
			return err
		}
		verdicts, rest, err := k.weigh(ctx, k.window)
		if err != nil {
			return err
		}
		cancelled := 0
		if len(verdicts) > 0 {
			if cancelled, err = k.settle(ctx, verdicts); err != nil {
				return err
			}
		}
		k.window = k.undecided(k.window)
		if err := k.overtake(ctx); err != nil {
			return err
		}
		if !k.refillable() && cancelled == 0 { // what had not begun has ended at once
			k.appoint(rest) // a second look would find the same
			k.tellLoops()
			return nil
		}
	}
}

// weigh decides about pending events with the gate of now. k.mu is held.
func (k *keeper) weigh(ctx context.Context, pending []Pending) ([]Verdict, Rest, error) {
	if len(pending) == 0 {
		return nil, Rest{}, nil
	}
	if k.still() != "" {
		g := k.plan.gate
		g.Paused, g.Held, g.SkipNew = k.paused, true, k.plan.made.SkipPaused
		verdicts, rest := Decide(g, k.backfills(pending), Now{})
		return verdicts, rest, nil
	}
	return k.judge(ctx, pending)
}

// judge is weigh when nothing is held as a whole.
func (k *keeper) judge(ctx context.Context, pending []Pending) ([]Verdict, Rest, error) {
	g := k.plan.gate
	g.Render = func(batch []Pending) ([]graph.Dispatch, error) { return k.plan.render(&k.trigger, batch) }
	changed, err := k.plan.refresh(ctx, k.m.ledger)
	if err != nil {
		return nil, Rest{}, err
	}
	if changed {
		k.tellMisfit()
	}
	if err := k.examine(ctx, pending); err != nil {
		return nil, Rest{}, err
	}
	if err := k.recall(ctx); err != nil {
		return nil, Rest{}, err
	}
	if g.Overlap == Replace {
		k.ended.Add(1) // somebody else may have asked dispatches to end
	}
	if g.Overlap != Allow && k.inFlight >= g.Max {
		if err := k.recount(ctx); err != nil {
			return nil, Rest{}, err
		}
	}
	verdicts, rest := Decide(g, pending, k.now())
	if rest.Full && k.ended.Load() > 0 {
		if err := k.recount(ctx); err != nil {
			return nil, Rest{}, err
		}
		verdicts, rest = Decide(g, pending, k.now())
	}
	return verdicts, rest, nil
}

func (k *keeper) now() Now {
	return Now{Time: time.Now(), InFlight: k.inFlight, Ending: k.ending, Fired: k.fired}
}

// recount reads how many dispatches are in flight. What is known only ever errs
// upwards, so this is for when it stands in the way and may be lower now.
func (k *keeper) recount(ctx context.Context) error {
	if k.ended.Swap(0) == 0 {
		return nil
	}
	counts, err := k.m.ledger.Counts(ctx, k.id)
	if err != nil { // which forgets what was known
		return fmt.Errorf("count dispatches in flight: %w", err)
	}
	k.inFlight, k.ending = counts.InFlight, counts.Ending
	return nil
}

// backfills finds out which events were asked for over what was there, where nothing
// else about them counts.
func (k *keeper) backfills(pending []Pending) []Pending {
	if !k.plan.made.SkipPaused {
		return pending
	}
	for i := range pending {
		if p := &pending[i]; p.State == EventPending {
			p.Check.Backfill = p.backfilled()
		}
	}
	return pending
}

// examine evaluates `when` and `dedupe_key` of the events that are new here.
func (k *keeper) examine(ctx context.Context, pending []Pending) error {
	var keys []string
	from := len(pending)
	for i := range pending {
		p := &pending[i]
		k.strikes.hold(p)
		if p.checked {
			continue
		}
		from = min(from, i)
		p.Check = k.plan.check(p)
		k.strikes.hold(p)
		if p.Check.Key != "" {
			keys = append(keys, p.Check.Key)
		}
	}
	if len(keys) > 0 {
		fired, err := k.m.ledger.Fired(ctx, k.id, keys)
		if err != nil {
			return fmt.Errorf("look up dedupe keys: %w", err)
		}
		seen := make(map[string]bool, len(fired))
		for _, key := range fired {
			seen[key] = true
		}
		for i := from; i < len(pending); i++ {
			if p := &pending[i]; !p.checked {
				p.Check.Seen = seen[p.Check.Key]
			}
		}
	}
	for i := from; i < len(pending); i++ {
		pending[i].checked = true
	}
	return nil
}

// appoint arranges the next look of the gate. What waits for neither a moment nor a
// dispatch to end has no timer.
func (k *keeper) appoint(rest Rest) {
	wake := rest.Wake
	if at := k.strikes.next(k.window); k.still() == "" && !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
		wake = at
	}
	wait := time.Until(wake)
	switch {
	case rest.Waits && (wake.IsZero() || wait > recheck):
		k.decideIn(recheck)
	case !wake.IsZero():
		k.decideIn(wait)
	}
	if !rest.Waits {
		k.blocked.Store(0)
		return
	}
	enough := int32(max(1, k.plan.gate.Max/4))
	k.blocked.Store(enough)
	switch n := k.ended.Load(); { // since the count
	case n >= enough:
		k.decideSoon()
	case n > 0:
		k.decideIn(linger)
	}
}
