package triggertest

import (
	"context"
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Record implements triggers.Ledger.
func (l *Ledger) Record(_ context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (fresh []triggers.Event, err error) {
	err = l.begin("Record")
	defer l.end("Record", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.revised(id, revision)
	if err != nil {
		return nil, err
	}
	if a := b.Amended; a != nil {
		i := slices.IndexFunc(r.events, func(e *triggers.Event) bool { return e.ID == a.ID && e.FiringID == "" })
		if i < 0 {
			return nil, graph.ErrStale
		}
		r.events[i].Payload = a.Payload
	}
	l.records++
	if b.Cursor != nil {
		r.cursor = b.Cursor
	}
	if !b.Next.IsZero() {
		r.NextAt = b.Next
	}
	for _, c := range b.Entities {
		if c.Deleted {
			delete(r.entities, string(c.Key))
		} else {
			r.entities[string(c.Key)] = c
		}
	}
	for _, e := range b.Events {
		if r.keys[e.Key] {
			continue
		}
		r.keys[e.Key] = true
		e.Seq = l.next()
		r.events = append(r.events, &e)
		r.LastEventAt = e.At
	}
	for _, d := range ds {
		l.decide(r, d)
	}
	for _, e := range b.Events {
		if i := slices.IndexFunc(r.events, func(o *triggers.Event) bool { return o.ID == e.ID }); i >= 0 {
			fresh = append(fresh, *r.events[i])
		}
	}
	return fresh, nil
}

// decide applies a decision, whole or not at all.
func (l *Ledger) decide(r *row, d triggers.Decision) []graph.Dispatch {
	var events []*triggers.Event
	for _, id := range d.EventIDs {
		i := slices.IndexFunc(r.events, func(e *triggers.Event) bool { return e.ID == id })
		if i < 0 || r.events[i].FiringID != "" {
			return nil
		}
		events = append(events, r.events[i])
	}
	for i, e := range events {
		e.State, e.Reason, e.FiringID = d.State, d.Reason, d.FiringID
		if d.State == triggers.EventFired && d.DedupeKeys != nil {
			r.deduped[d.DedupeKeys[i]] = true
		}
	}
	if d.FiringID == "" {
		return nil
	}
	f := triggers.Firing{ID: d.FiringID, TriggerID: r.ID, Revision: r.Revision, Decision: d.State, Reason: d.Reason, EventIDs: d.EventIDs, At: time.Now()}
	var inserted []graph.Dispatch
	for _, dispatch := range d.Dispatches {
		dispatch.Number = int64(len(l.dispatches) + 1)
		l.dispatches = append(l.dispatches, dispatch)
		inserted = append(inserted, dispatch)
		f.DispatchIDs, f.Inputs = append(f.DispatchIDs, dispatch.ID), dispatch.Inputs
	}
	r.firings = append(r.firings, f)
	r.LastFiringAt = f.At
	return inserted
}

// Fire implements triggers.Ledger.
func (l *Ledger) Fire(_ context.Context, id string, revision int, ds []triggers.Decision) (inserted []graph.Dispatch, err error) {
	err = l.begin("Fire")
	defer l.end("Fire", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.revised(id, revision)
	if err != nil {
		return nil, err
	}
	for _, d := range ds {
		inserted = append(inserted, l.decide(r, d)...)
	}
	return inserted, nil
}
