package triggers

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// settle stores verdicts about the window. Decisions that the ledger has refused
// before are tried alone, after all others; so are, once it has refused, parts of the
// others, until what it refuses is known. It returns how many dispatches were asked to
// end. k.mu is held.
func (k *keeper) settle(ctx context.Context, verdicts []Verdict) (cancelled int, err error) {
	was := k.cancelled
	defer func() { cancelled = k.cancelled - was }()
	clean, suspect := k.strikes.part(verdicts, k.window)
	if len(clean) > 0 {
		err := k.store(ctx, clean)
		switch {
		case err == nil:
		case !k.unsure || errors.Is(err, ErrRevised) || ctx.Err() != nil:
			k.unsure = true // more often than not it works the next time
			return 0, err
		default:
			if err := k.isolate(ctx, clean, err); err != nil {
				return 0, err
			}
		}
	}
	k.unsure = false
	for _, v := range suspect {
		if err := k.store(ctx, []Verdict{v}); err != nil {
			if err := k.isolate(ctx, []Verdict{v}, err); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// store applies verdicts about the window in one transaction.
func (k *keeper) store(ctx context.Context, verdicts []Verdict) error {
	ds, err := decisions(verdicts, k.window)
	if err != nil {
		return err
	}
	done, err := k.m.ledger.Fire(ctx, k.id, k.trigger.Revision, ds)
	if err != nil {
		return fmt.Errorf("store decisions: %w", err)
	}
	if n := len(done.Cancelled); n > 0 { // first: what is asked to end must be told so, whatever happens below
		k.ending += n
		k.cancelled += n
		k.m.opts.Cancelled(done.Cancelled)
	}
	k.apply(verdicts, ds, k.window)
	return nil
}

// decisions gives verdicts their ids.
func decisions(verdicts []Verdict, pending []Pending) ([]Decision, error) {
	ds := make([]Decision, len(verdicts))
	for n, v := range verdicts {
		if v.Cancel > 0 {
			ds[n] = Decision{Cancel: v.Cancel}
			continue
		}
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
	fired, byGate, ended, byHand := 0, 0, false, false
	for n, v := range verdicts {
		if v.Cancel > 0 {
			continue
		}
		fired += len(v.Dispatches)
		if v.State == EventFired {
			if v.Reason == ReasonManual {
				byHand = true
			} else {
				byGate++
			}
		}
		ended = ended || final(v.State) && len(v.Dispatches) == 0
		for _, at := range v.Events {
			p := &pending[at]
			p.State, p.Reason, p.FiringID = v.State, v.Reason, ds[n].FiringID
			k.strikes.decided(p)
			if len(v.Dispatches) > 0 {
				k.m.traces.fired(k.id, p, v.Dispatches[0].ID, v.Dispatches[len(v.Dispatches)-1].ID)
				if path, _ := p.fields["path"].(string); path != "" {
					k.overtakers = append(k.overtakers, overtaker{p.ID, path})
				}
			}
		}
		k.m.tally.verdict(v)
	}
	see(ds, pending)
	k.notice(verdicts)
	k.inFlight += fired
	k.noteFired(byGate)
	if byHand {
		k.decideSoon() // it has taken a slot
	}
	if ended && k.afterRuns.Load() {
		k.hint() // no dispatch will end for these
	}
}

// see notes the dedupe keys of what was fired with those that are still undecided.
func see(ds []Decision, pending []Pending) {
	var keys map[string]bool
	for _, d := range ds {
		for _, key := range d.DedupeKeys {
			if keys == nil {
				keys = map[string]bool{}
			}
			keys[key] = true
		}
	}
	if keys == nil {
		return
	}
	for i := range pending {
		if c := &pending[i].Check; c.Key != "" && keys[c.Key] {
			c.Seen = true
		}
	}
}

func final(s EventState) bool { return s != EventPending && s != EventHeld }
