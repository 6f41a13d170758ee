package triggertest

import (
	"context"
	"slices"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Record implements triggers.Ledger.
func (l *Ledger) Record(_ context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (rec triggers.Recorded, err error) {
	err = l.begin("Record")
	defer l.end("Record", &err)
	if err != nil {
		return rec, err
	}
	r, err := l.revised(id, revision)
	if err != nil {
		return rec, err
	}
	if a := b.Amended; a != nil {
		i := slices.IndexFunc(r.events, func(e *triggers.Event) bool { return e.ID == a.ID && e.FiringID == "" })
		if i < 0 {
			return rec, graph.ErrStale
		}
		r.events[i].Payload = a.Payload
	}
	l.records++
	if b.Cursor != nil {
		r.cursor = b.Cursor
	}
	if !b.Next.IsZero() || b.NoNext {
		r.NextAt = b.Next
	}
	for _, c := range b.Entities {
		if c.Deleted {
			delete(r.entities, string(c.Key))
		} else {
			r.entities[string(c.Key)] = c
		}
	}
	before := l.seq
	for _, e := range b.Events {
		l.insert(r, e, before)
	}
	for _, d := range ds {
		did, err := l.decide(r, d, true)
		if err != nil {
			return rec, err
		}
		rec.Dispatches = append(rec.Dispatches, did.Dispatches...)
	}
	for _, e := range b.Events {
		if stored := r.event(e.ID); stored != nil {
			rec.Events = append(rec.Events, *stored)
		}
	}
	return rec, nil
}

// insert stores an event whose key is new, or amends the one that has it. before is the
// Seq of what was there before the batch.
func (l *Ledger) insert(r *row, e triggers.Event, before int64) {
	if !r.keys[e.Key] {
		r.keys[e.Key] = true
		e.TriggerID, e.State, e.Reason, e.FiringID, e.Amends = r.ID, triggers.EventPending, "", "", false
		e.Seq = l.next()
		r.events = append(r.events, &e)
		r.LastEventAt = e.At
		return
	}
	i := slices.IndexFunc(r.events, func(o *triggers.Event) bool { return o.Key == e.Key })
	old := r.events[i]
	if !e.Amends || old.FiringID != "" {
		return
	}
	if old.Payload = e.Payload; old.Seq <= before {
		old.State, old.Reason = triggers.EventHeld, triggers.ReasonBacklog
	}
}
