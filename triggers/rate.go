package triggers

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// allowed tells whether the rate leaves room for one more firing.
func (d *decider) allowed() bool {
	return d.gate.Rate.N == 0 || len(d.fired)+d.spent < d.gate.Rate.N || !d.allowedAt().After(d.now)
}

// allowedAt is when the rate leaves room again.
func (d *decider) allowedAt() time.Time {
	at := d.now
	if first := len(d.fired) + d.spent - d.gate.Rate.N; first < len(d.fired) {
		at = d.fired[first]
	}
	return at.Add(d.gate.Rate.Per)
}

// spend counts a firing for the rate.
func (d *decider) spend() { d.spent++ }

// recall reads the latest firings, when the rate has to know them. k.mu is held.
func (k *keeper) recall(ctx context.Context) error {
	r := k.plan.gate.Rate
	if r.N == 0 || k.firedKnown {
		return nil
	}
	now := time.Now()
	fired, err := k.m.ledger.Recent(ctx, k.id, now.Add(-r.Per), r.N)
	if err != nil {
		return fmt.Errorf("read the latest firings: %w", err)
	}
	for i := range fired {
		fired[i] = byClock(fired[i], now)
	}
	k.fired, k.firedKnown = fired, true
	return nil
}

// noteFired counts firings of now for the rate. k.mu is held.
func (k *keeper) noteFired(n int) {
	r := k.plan.gate.Rate
	if r.N == 0 || !k.firedKnown {
		return
	}
	for range n {
		k.fired = append(k.fired, time.Now())
	}
	if len(k.fired) >= 2*r.N { // seldom, since all that are left are moved
		k.fired = slices.Delete(k.fired, 0, len(k.fired)-r.N)
	}
}
