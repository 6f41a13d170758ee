package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Fire applies decisions. A decision is dropped when one of its events is final
// already. It returns the dispatches inserted, with their numbers, and those asked to
// end.
func (s *Store) Fire(ctx context.Context, id string, revision int, ds []triggers.Decision) (triggers.Fired, error) {
	var out triggers.Fired
	err := s.change(ctx, func(t *tx) error {
		var err error
		if out, err = t.fire(id, revision, ds); err != nil {
			return err
		}
		return t.effect(out.Dispatches)
	})
	if err != nil {
		return triggers.Fired{}, fmt.Errorf("fire trigger %s: %w", id, err)
	}
	return out, nil
}

// firings applies decisions about the events of one trigger.
type firings struct {
	t        *tx
	trigger  triggerRef
	revision int
	events   map[string]*eventState // by id

	fired      int
	dispatches []graph.Dispatch
	cancelled  []string
}

// eventState is an event between its loading and its saving.
type eventState struct {
	n, seq int64
	firing int64 // 0: undecided
	dedupe string
	event  *triggers.Event
}

func (t *tx) fire(id string, revision int, ds []triggers.Decision) (triggers.Fired, error) {
	ref, err := t.trigger(id, revision)
	if err != nil {
		return triggers.Fired{}, err
	}
	f := firings{t: t, trigger: ref, revision: revision, events: map[string]*eventState{}}
	if err := f.load(ds); err != nil {
		return triggers.Fired{}, err
	}
	for i := range ds {
		if err := f.decide(ds[i], false); err != nil {
			return triggers.Fired{}, err
		}
	}
	out := triggers.Fired{Dispatches: f.dispatches, Cancelled: f.cancelled}
	if f.fired > 0 {
		return out, t.noteEvents(ref.n, &triggers.Batch{}, false, true)
	}
	return out, nil
}

// eventsByID finds events by their ids. The plus keeps SQLite from walking along all
// events of the trigger instead, which it does for eight ids or more.
const eventsByID = "SELECT id, n, state, reason, coalesce(firing, 0) FROM events WHERE +trigger = ? AND id IN "

// load reads the events that decisions name.
func (f *firings) load(ds []triggers.Decision) error {
	const idsPerStatement = 32
	var ids []any
	for i := range ds {
		for _, id := range ds[i].EventIDs {
			ids = append(ids, id)
		}
	}
	for len(ids) > 0 {
		part := ids[:min(idsPerStatement, len(ids))]
		ids = ids[len(part):]
		err := f.t.rows(eventsByID+values(1, len(part)),
			append([]any{f.trigger.n}, part...), func(r rowScanner) error {
				e := triggers.Event{}
				s := eventState{event: &e}
				if err := r.Scan(&e.ID, &s.n, &e.State, &e.Reason, &s.firing); err != nil {
					return err
				}
				f.events[e.ID] = &s
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// decide applies one decision, or drops it when an event of it is decided, or, with
// fresh, was not new. With fresh the events are not stored yet.
func (f *firings) decide(d triggers.Decision, fresh bool) error {
	if err := checkDecision(&d); err != nil {
		return err
	}
	if d.Cancel > 0 {
		if fresh {
			return errors.New("a decision that cancels dispatches cannot be recorded with a batch")
		}
		return f.cancel(d.Cancel)
	}
	events := make([]*eventState, len(d.EventIDs))
	for i, id := range d.EventIDs {
		e := f.events[id]
		switch {
		case e == nil && fresh:
			return nil
		case e == nil:
			return notFound("event", id)
		case e.firing != 0:
			return nil
		}
		events[i] = e
	}
	if d.State == triggers.EventHeld || d.State == triggers.EventPending {
		return f.hold(&d, events, fresh)
	}
	firing, err := f.insertFiring(&d)
	if err != nil {
		return err
	}
	for i, e := range events {
		if e.firing != 0 {
			return fmt.Errorf("decision %s names event %s twice", d.FiringID, e.event.ID)
		}
		e.firing, e.event.State, e.event.Reason, e.event.FiringID = firing, d.State, d.Reason, d.FiringID
		if d.State == triggers.EventFired && d.DedupeKeys != nil {
			e.dedupe = d.DedupeKeys[i]
		}
		if fresh {
			continue
		}
		err := f.t.guarded("UPDATE events SET state = ?, reason = ?, firing = ?, dedupe = ?, seq = ? WHERE n = ? AND firing IS NULL",
			string(d.State), d.Reason, firing, text(e.dedupe), f.t.seq(), e.n)
		if err != nil {
			return err
		}
	}
	if !fresh {
		f.t.countPending(f.trigger.n, -int64(len(events)))
	}
	if d.State == triggers.EventFired {
		f.fired++
	}
	return nil
}

func checkDecision(d *triggers.Decision) error {
	fired := d.State == triggers.EventFired
	switch {
	case d.Cancel < 0, d.Cancel > 0 && (d.State != "" || d.FiringID != "" || len(d.EventIDs)+len(d.Dispatches) > 0):
		return fmt.Errorf("a decision that asks %d dispatches to end decides nothing else", d.Cancel)
	case d.Cancel > 0:
		return nil
	case fired != (len(d.Dispatches) > 0):
		return fmt.Errorf("a decision %s with %d dispatches makes no sense", d.State, len(d.Dispatches))
	case d.DedupeKeys != nil && len(d.DedupeKeys) != len(d.EventIDs):
		return fmt.Errorf("a decision about %d events has %d dedupe keys", len(d.EventIDs), len(d.DedupeKeys))
	}
	return nil
}

// hold changes undecided events; one that stands so already is not written.
func (f *firings) hold(d *triggers.Decision, events []*eventState, fresh bool) error {
	for _, e := range events {
		if e.event.State == d.State && e.event.Reason == d.Reason {
			continue
		}
		e.event.State, e.event.Reason = d.State, d.Reason
		if fresh {
			continue
		}
		err := f.t.guarded("UPDATE events SET state = ?, reason = ?, seq = ? WHERE n = ? AND firing IS NULL", string(d.State), d.Reason, f.t.seq(), e.n)
		if err != nil {
			return err
		}
	}
	return nil
}

// insertFiring stores a firing with its dispatches and returns its row.
func (f *firings) insertFiring(d *triggers.Decision) (int64, error) {
	var err error
	if d.FiringID == "" {
		if d.FiringID, err = newID(); err != nil {
			return 0, err
		}
	}
	n := f.t.seq()
	ids := make([]string, len(d.Dispatches))
	first := len(f.dispatches)
	for i := range d.Dispatches {
		c := d.Dispatches[i]
		if c.ID == "" {
			if c.ID, err = newID(); err != nil {
				return 0, err
			}
		}
		ids[i], c.Status, c.TriggerID, c.FiringID = c.ID, graph.Pending, f.trigger.id, d.FiringID
		f.dispatches = append(f.dispatches, c)
	}
	var list any
	if len(ids) > 0 {
		b, err := json.Marshal(ids)
		if err != nil {
			return 0, err
		}
		list = string(b)
	}
	_, err = f.t.exec("INSERT INTO firings (n, id, trigger, revision, decision, reason, dispatches, at, seq) VALUES (?,?,?,?,?,?,?,?,?)",
		n, d.FiringID, f.trigger.n, f.revision, string(d.State), d.Reason, list, f.t.now, n)
	if err != nil {
		return 0, err
	}
	return n, f.t.insertTogether(f.dispatches[first:], f.trigger)
}
