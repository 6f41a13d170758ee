package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
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
		if len(verdicts) == 0 {
			k.appoint(rest)
			return nil
		}
		ds, err := decisions(verdicts, k.window)
		if err != nil {
			return err
		}
		done, err := k.m.ledger.Fire(ctx, k.id, k.trigger.Revision, ds)
		if err != nil {
			return fmt.Errorf("store decisions: %w", err)
		}
		if len(done.Cancelled) > 0 {
			k.m.opts.Cancelled(done.Cancelled)
		}
		k.apply(verdicts, ds, k.window)
		k.window = undecided(k.window)
		if !k.refillable() {
			k.appoint(rest) // a second look would find the same
			return nil
		}
	}
}

// weigh decides about pending events with the gate of now. k.mu is held.
func (k *keeper) weigh(ctx context.Context, pending []Pending) ([]Verdict, Rest, error) {
	g := k.plan.gate
	g.Paused = k.paused
	g.Render = func(batch []Pending) ([]graph.Dispatch, error) { return k.plan.render(&k.trigger, batch) }
	if len(pending) > 0 && !k.paused {
		if err := k.plan.refresh(ctx, k.m.ledger); err != nil {
			return nil, Rest{}, err
		}
		if err := k.examine(ctx, pending); err != nil {
			return nil, Rest{}, err
		}
	}
	if len(pending) > 0 && g.Overlap != Allow && k.inFlight >= g.Max {
		if err := k.recount(ctx); err != nil {
			return nil, Rest{}, err
		}
	}
	verdicts, rest := Decide(g, pending, Now{Time: time.Now(), InFlight: k.inFlight})
	if rest.Full && k.ended.Load() > 0 {
		if err := k.recount(ctx); err != nil {
			return nil, Rest{}, err
		}
		verdicts, rest = Decide(g, pending, Now{Time: time.Now(), InFlight: k.inFlight})
	}
	return verdicts, rest, nil
}

// recount reads how many dispatches are in flight. What is known only ever errs
// upwards, so this is for when it stands in the way and may be lower now.
func (k *keeper) recount(ctx context.Context) error {
	ended := k.ended.Swap(0)
	if ended == 0 {
		return nil
	}
	counts, err := k.m.ledger.Counts(ctx, k.id)
	if err != nil {
		k.ended.Add(ended)
		return fmt.Errorf("count dispatches in flight: %w", err)
	}
	k.inFlight = counts.InFlight
	return nil
}

// examine evaluates `when` and `dedupe_key` of the events that are new here.
func (k *keeper) examine(ctx context.Context, pending []Pending) error {
	var keys []string
	from := len(pending)
	for i := range pending {
		p := &pending[i]
		if p.checked {
			continue
		}
		from = min(from, i)
		p.Check, p.fields = k.plan.check(&p.Event)
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

// decisions gives verdicts their ids.
func decisions(verdicts []Verdict, pending []Pending) ([]Decision, error) {
	ds := make([]Decision, len(verdicts))
	for n, v := range verdicts {
		d := Decision{State: v.State, Reason: v.Reason, Dispatches: v.Dispatches, EventIDs: make([]string, len(v.Events))}
		for i, at := range v.Events {
			p := &pending[at]
			d.EventIDs[i] = p.ID
			if p.Check.Key != "" && v.State == EventFired {
				if d.DedupeKeys == nil {
					d.DedupeKeys = make([]string, len(v.Events))
				}
				d.DedupeKeys[i] = p.Check.Key
			}
		}
		if final(v.State) {
			id, err := uuid.NewV7()
			if err != nil {
				return nil, fmt.Errorf("make a firing id: %w", err)
			}
			d.FiringID = id.String()
			for i := range d.Dispatches {
				d.Dispatches[i].FiringID = d.FiringID
			}
		}
		ds[n] = d
	}
	return ds, nil
}

// apply notes in memory what the ledger has stored.
func (k *keeper) apply(verdicts []Verdict, ds []Decision, pending []Pending) {
	fired := 0
	for n, v := range verdicts {
		fired += len(v.Dispatches)
		for _, at := range v.Events {
			pending[at].State, pending[at].Reason, pending[at].FiringID = v.State, v.Reason, ds[n].FiringID
		}
		k.m.tally.verdict(v)
	}
	k.inFlight += fired
	if fired > 0 {
		k.m.opts.Wake()
	}
}

func final(s EventState) bool { return s != EventPending && s != EventHeld }

// appoint arranges the next look of the gate.
func (k *keeper) appoint(rest Rest) {
	blocked := rest.Full && k.plan.gate.Overlap == Queue
	wait := time.Until(rest.Wake)
	switch {
	case blocked && (rest.Wake.IsZero() || wait > recheck):
		k.decideIn(recheck)
	case !rest.Wake.IsZero():
		k.decideIn(wait)
	}
	if !blocked {
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
