package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/latticed/latticed/graph"
)

// maxPayload bounds the payload of an event fired by hand.
const maxPayload = 1 << 20

// eventManual is the kind of events fired by hand.
const eventManual = "manual"

// Occasioner is implemented by sources that know what an event is about that somebody
// fires by hand at some instant without saying it.
type Occasioner interface {
	// Occasion is the payload of such an event, of kind manual. It does no I/O.
	Occasion(at time.Time) (json.RawMessage, error)
}

// Fire makes an event of kind manual with the payload given (a JSON object, or
// nothing: then what the source says of now) and fires it at once: neither a pause nor when, dedupe_key, batch or
// overlap hold back what somebody asks for by hand. Its dispatch counts as in flight.
// If the inputs don't fit, the firing that comes back is rejected and says why.
func (m *Manager) Fire(ctx context.Context, idOrName string, payload json.RawMessage, by Principal) (Firing, error) {
	k, err := m.keeper(ctx, idOrName)
	if err != nil {
		return Firing{}, err
	}
	if len(payload) > maxPayload {
		return Firing{}, invalidField("payload", graph.CodeTooLarge, "a payload may have 1 MiB at most")
	}
	fields, err := object(payload)
	if err != nil {
		return Firing{}, invalidField("payload", graph.CodeWrongType, "%v", err)
	}
	return k.fire(ctx, "", fields, by)
}

// FireEvent fires one event now, by hand, whatever holds it back: one that is not
// decided yet is decided; of one that is, its payload is fired as a new event of kind
// manual whose key names it. If the inputs don't fit, the firing that comes back is
// rejected and says why.
func (m *Manager) FireEvent(ctx context.Context, idOrName, event string, by Principal) (Firing, error) {
	k, err := m.keeper(ctx, idOrName)
	if err != nil {
		return Firing{}, err
	}
	e, err := k.event(ctx, event)
	if err != nil {
		return Firing{}, err
	}
	if !final(e.State) {
		f, done, err := k.fireUndecided(ctx, event, by)
		if done || err != nil {
			return f, err
		}
	}
	fields, err := object(e.Payload)
	if err != nil {
		return Firing{}, fmt.Errorf("read the payload of event %s: %w", event, err)
	}
	return k.fire(ctx, " "+e.ID, fields, by)
}

// event reads an event that somebody names.
func (k *keeper) event(ctx context.Context, id string) (Event, error) {
	e, err := k.m.ledger.Event(ctx, k.id, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return e, fmt.Errorf("event %s: %w among those of trigger %s; `latticed trigger events %s --ids` lists them", show(id), ErrNotFound, k.name, k.name)
	case err != nil:
		return e, fmt.Errorf("read event %s: %w", show(id), err)
	}
	return e, nil
}

// fireUndecided decides an event as fired; false: it is decided already.
func (k *keeper) fireUndecided(ctx context.Context, event string, by Principal) (Firing, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.show()
	if err := k.ready(ctx); err != nil {
		return Firing{}, false, err
	}
	e, err := k.event(ctx, event)
	if err != nil {
		return Firing{}, false, err
	}
	if final(e.State) {
		return Firing{}, false, nil
	}
	p := Pending{Event: e, checked: true}
	p.Check = k.plan.check(&p) // for its dedupe key; what else it says does not count
	if p.bad != nil {
		return Firing{}, false, fmt.Errorf("read the payload of event %s: %w", event, p.bad)
	}
	pending := []Pending{p}
	v, ds, err := k.byHand(pending, by)
	if err != nil {
		return Firing{}, false, err
	}
	// The window may hold the event: it is read again in any case.
	defer k.decideSoon()
	defer k.forget()
	if _, err := k.m.ledger.Fire(ctx, k.id, k.trigger.Revision, ds); err != nil {
		return Firing{}, false, fmt.Errorf("fire event %s of trigger %s: %w", event, k.name, err)
	}
	k.apply([]Verdict{v}, ds, pending)
	return firingOf(k.trigger, ds[0], time.Now()), true, nil
}

// fire makes an event and fires it, whatever holds others back; of ends its key.
func (k *keeper) fire(ctx context.Context, of string, fields map[string]any, by Principal) (Firing, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(ctx); err != nil {
		return Firing{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Firing{}, fmt.Errorf("make an event key: %w", err)
	}
	if s, ok := k.plan.made.Source.(Occasioner); ok && len(fields) == 0 {
		raw, err := s.Occasion(time.Now())
		if err != nil {
			return Firing{}, fmt.Errorf("make an event for trigger %s: %w", k.name, err)
		}
		if fields, err = object(raw); err != nil {
			return Firing{}, fmt.Errorf("read the event made for trigger %s: %w", k.name, err)
		}
	}
	payload, err := graph.Canonical(fields)
	if err != nil {
		return Firing{}, invalidField("payload", graph.CodeBadValue, "%v", err)
	}
	events := []Event{{Key: eventManual + " " + id.String() + of, Kind: eventManual, Payload: payload}}
	if err := k.stamp(events); err != nil {
		return Firing{}, err
	}
	pending := []Pending{{Event: events[0], fields: fields, checked: true}}
	v, ds, err := k.byHand(pending, by)
	if err != nil {
		return Firing{}, err
	}
	if _, err := k.m.ledger.Record(ctx, k.id, k.trigger.Revision, Batch{Events: events}, ds); err != nil {
		k.doubt()
		return Firing{}, fmt.Errorf("fire trigger %s: %w", k.name, err)
	}
	k.hear()
	k.m.tally.event(eventManual)
	k.apply([]Verdict{v}, ds, pending)
	return firingOf(k.trigger, ds[0], events[0].At), nil
}

// ready tells whether the trigger can fire now, by its target of now. k.mu is held.
func (k *keeper) ready(ctx context.Context) error {
	if err := k.alive(); err != nil {
		return err
	}
	if k.plan == nil {
		return &ConflictError{Code: "trigger_failing", Message: "the trigger can't fire: " + k.health.reason}
	}
	changed, err := k.plan.refresh(ctx, k.m.ledger)
	if changed {
		k.tellMisfit()
	}
	return err
}

// byHand fires what somebody asks for, or rejects it when the inputs don't fit.
func (k *keeper) byHand(pending []Pending, by Principal) (v Verdict, ds []Decision, err error) {
	v = Verdict{Events: []int{0}, State: EventFired, Reason: ReasonManual}
	if v.Dispatches, err = k.plan.render(&k.trigger, pending); err != nil {
		v.State, v.Reason = EventRejected, err.Error()
	}
	for i := range v.Dispatches {
		v.Dispatches[i].CreatedBy = by.Name
	}
	ds, err = decisions([]Verdict{v}, pending)
	return v, ds, err
}

func firingOf(t Trigger, d Decision, at time.Time) Firing {
	f := Firing{
		ID: d.FiringID, TriggerID: t.ID, Revision: t.Revision,
		Decision: d.State, Reason: d.Reason, EventIDs: d.EventIDs, At: at,
	}
	for _, dispatch := range d.Dispatches {
		f.DispatchIDs = append(f.DispatchIDs, dispatch.ID)
	}
	if len(d.Dispatches) > 0 {
		f.Inputs = d.Dispatches[0].Inputs
	}
	return f
}
