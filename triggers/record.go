package triggers

import (
	"context"
	"encoding/json"
	"fmt"
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
	if err := k.refill(ctx); err != nil {
		return err
	}
	if k.merges(b.Events) {
		return k.merge(ctx, b)
	}
	all, verdicts, rest, err := k.foresee(ctx, b.Events)
	if err != nil {
		return err
	}
	old := len(all) - len(b.Events)
	own := ownVerdicts(verdicts, old)
	ds, err := decisions(own, all)
	if err != nil {
		return err
	}
	fresh, err := k.m.ledger.Record(ctx, k.id, k.trigger.Revision, b, ds)
	if err != nil {
		return err
	}
	stored := k.accept(all, old, own, ds, fresh)
	if len(fresh) > 0 {
		k.hear()
	}
	if stored < len(verdicts) {
		// Some concern older events too, or named an event that was known already.
		return k.decideAll(ctx)
	}
	if k.behind {
		k.decideSoon()
		return nil
	}
	k.appoint(rest)
	return nil
}

// merges tells whether a new event is made one with the last that a pause holds.
func (k *keeper) merges(events []Event) bool {
	n := len(k.window)
	return k.paused && k.plan.made.Merge != nil && !k.behind && n > 0 && len(events) == 1 && events[0].Kind == k.window[n-1].Kind
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
	last.Payload, last.fields, last.checked = payload, nil, false
	k.hear()
	return nil
}

// foresee decides about the window and the new events together, before they are
// stored. Behind a backlog nothing is decided: older events go first.
func (k *keeper) foresee(ctx context.Context, events []Event) ([]Pending, []Verdict, Rest, error) {
	all := k.window // an error forgets the window, so nothing has to be taken back
	for _, e := range events {
		all = append(all, Pending{Event: e})
	}
	if !k.behind {
		verdicts, rest, err := k.weigh(ctx, all)
		return all, verdicts, rest, err
	}
	reason := ReasonBacklog
	if k.paused {
		reason = ReasonPaused
	}
	held := Verdict{State: EventHeld, Reason: reason}
	for i := len(k.window); i < len(all); i++ {
		held.Events = append(held.Events, i)
	}
	return all, []Verdict{held}, Rest{}, nil
}

// ownVerdicts are those that concern new events only, which may be stored with them.
func ownVerdicts(verdicts []Verdict, old int) []Verdict {
	var own []Verdict
	for _, v := range verdicts {
		if v.Events[0] >= old { // positions ascend
			own = append(own, v)
		}
	}
	return own
}

// accept notes what the ledger stored: which events were new, which decisions held.
// It returns how many decisions did.
func (k *keeper) accept(all []Pending, old int, own []Verdict, ds []Decision, fresh []Event) int {
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
		if p.Seq = seq; final(p.State) || k.behind {
			continue
		}
		if room == 0 {
			k.behind = true
			continue
		}
		k.window = append(k.window, p)
		k.after = seq
		room--
	}
	return len(kept)
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
