package triggers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// emit is the Emit of the trigger's source.
func (k *keeper) emit(ctx context.Context, b Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.show()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	err := k.record(ctx, b)
	if err != nil {
		k.doubt()
		return fmt.Errorf("store events: %w", err)
	}
	if b.Cursor != nil {
		k.cursor, k.cursorKnown = b.Cursor, true
	}
	return nil
}

// record saves a batch with what can be decided about it at once. k.mu is held.
func (k *keeper) record(ctx context.Context, b Batch) error {
	if err := k.stamp(b.Events); err != nil {
		return err
	}
	if len(b.Events) == 0 {
		_, err := k.m.ledger.Record(ctx, k.id, k.trigger.Revision, b, nil)
		return err
	}
	pending, err := k.receive(ctx, b.Events)
	if err != nil {
		return err
	}
	if k.plainly {
		return k.recordPlainly(ctx, b)
	}
	if err := k.refill(ctx); err != nil {
		return err
	}
	if k.merges(pending) {
		return k.merge(ctx, b)
	}
	all, verdicts, rest, err := k.foresee(ctx, pending)
	if err != nil {
		return err
	}
	old := len(all) - len(b.Events)
	own, err := k.ownVerdicts(ctx, verdicts, all, old)
	if err != nil {
		return err
	}
	more := len(own) < len(verdicts) // concern older events too, or have to wait
	own = singly(k.reserve(own, all, old))
	ds, err := decisions(own, all)
	if err != nil {
		return err
	}
	rec, err := k.m.ledger.Record(ctx, k.id, k.trigger.Revision, b, ds)
	if err != nil {
		k.plainly = len(own) > 0 && k.still() == "" // in a pause nothing is decided that it might not bear
		return err
	}
	stored, left := k.accept(all, old, own, ds, rec.Events)
	if len(left) > 0 {
		if _, err := k.m.ledger.Fire(ctx, k.id, k.trigger.Revision, []Decision{{EventIDs: left, State: EventHeld, Reason: ReasonBacklog}}); err != nil {
			return err
		}
	}
	amended := amended(b.Events, rec.Events)
	if len(rec.Events) > 0 || amended {
		k.hear()
	}
	if amended {
		k.forget()
	}
	if more || stored < len(own) || k.behind && k.refillable() { // fewer: an event was known already
		return k.decideAll(ctx)
	}
	if k.behind {
		k.decideSoon()
		return nil
	}
	k.appoint(rest)
	if k.aside.loops > 0 && len(k.overtakers) > 0 {
		k.decideSoon()
	} else {
		k.overtakers = nil
	}
	k.tellLoops()
	return nil
}

// receive makes new events ready for the gate.
func (k *keeper) receive(ctx context.Context, events []Event) ([]Pending, error) {
	pending := make([]Pending, len(events))
	for i := range events {
		pending[i].Event = events[i]
	}
	if err := k.generations(ctx, pending); err != nil {
		return nil, err
	}
	for i := range events {
		events[i].Generation = pending[i].Generation
	}
	return pending, nil
}

// recordPlainly saves a batch without decisions, after the ledger has refused one with:
// if it was because of one of them, the gate will find out which.
func (k *keeper) recordPlainly(ctx context.Context, b Batch) error {
	held := make([]Decision, len(b.Events))
	for i, e := range b.Events {
		held[i] = Decision{State: EventHeld, Reason: ReasonBacklog, EventIDs: []string{e.ID}}
	}
	if _, err := k.m.ledger.Record(ctx, k.id, k.trigger.Revision, b, held); err != nil {
		return err
	}
	k.plainly = false
	for _, e := range b.Events {
		k.m.tally.event(e.Kind)
	}
	k.hear()
	k.forget()
	k.unsure = true
	return k.decideAll(ctx)
}

// amended tells whether events that were known already may have been.
func amended(events, fresh []Event) bool {
	for _, e := range events {
		if e.Amends && !slices.ContainsFunc(fresh, func(f Event) bool { return f.ID == e.ID }) {
			return true
		}
	}
	return false
}

// merges tells whether a new event is made one with the last that a pause holds.
func (k *keeper) merges(events []Pending) bool {
	n := len(k.window)
	return k.still() != "" && k.plan.made.Merge != nil && !k.behind && n > 0 && len(events) == 1 && events[0].Kind == k.window[n-1].Kind &&
		!events[0].backfilled() && !k.window[n-1].backfilled()
}

// merge stores a batch whose one event goes into the last of the window.
func (k *keeper) merge(ctx context.Context, b Batch) error {
	last := &k.window[len(k.window)-1]
	payload, err := k.plan.made.Merge(last.Payload, b.Events[0].Payload)
	if err != nil {
		return err
	}
	b.Amended, b.Events = &Event{ID: last.ID, Payload: payload}, nil
	if _, err := k.m.ledger.Record(ctx, k.id, k.trigger.Revision, b, nil); err != nil {
		return err
	}
	last.Payload, last.fields, last.bad, last.checked = payload, nil, nil, false
	k.hear()
	return nil
}

// accept notes what the ledger stored: which events were new, which decisions held.
// It returns how many decisions did, and the events that nothing is said of and that
// are not in memory: they were to be decided together with one that was known already.
func (k *keeper) accept(all []Pending, old int, own []Verdict, ds []Decision, fresh []Event) (stored int, left []string) {
	seqs := make(map[string]int64, len(fresh))
	for _, e := range fresh {
		seqs[e.ID] = e.Seq
		k.m.tally.event(e.Kind)
	}
	kept, keptDs := own[:0:0], ds[:0:0]
	for n, v := range own {
		whole := true
		for _, at := range v.Events {
			_, ok := seqs[all[at].ID]
			whole = whole && ok
		}
		if whole {
			kept, keptDs = append(kept, v), append(keptDs, ds[n])
		}
	}
	k.apply(kept, keptDs, all)
	k.window = all[:old]
	room := k.limit() - len(k.window)
	for i := old; i < len(all); i++ {
		p := all[i]
		seq, isNew := seqs[p.ID]
		if !isNew {
			continue
		}
		p.Seq = seq
		switch {
		case !k.behind && (final(p.State) || k.putAside(&p)):
			k.after = seq
		case !k.behind && room > 0:
			k.window, k.after = append(k.window, p), seq
			room--
		default:
			k.behind = true
			if p.State == EventPending {
				left = append(left, p.ID)
			}
		}
	}
	return len(kept), left
}

// stamp fills in what the manager knows of new events.
func (k *keeper) stamp(events []Event) error {
	now := time.Now()
	for i := range events {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an event id: %w", err)
		}
		e := &events[i]
		e.ID, e.TriggerID, e.At, e.State, e.Reason = id.String(), k.id, now, EventPending, ""
		if e.Payload == nil {
			e.Payload = json.RawMessage("{}")
		}
	}
	return nil
}
