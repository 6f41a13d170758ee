package triggertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Fire implements triggers.Ledger.
func (l *Ledger) Fire(_ context.Context, id string, revision int, ds []triggers.Decision) (out triggers.Fired, err error) {
	err = l.begin("Fire")
	defer l.end("Fire", &err)
	if err != nil {
		return out, err
	}
	r, err := l.revised(id, revision)
	if err != nil {
		return out, err
	}
	for _, d := range ds {
		did, err := l.decide(r, d, false)
		if err != nil {
			return triggers.Fired{}, err
		}
		out.Dispatches = append(out.Dispatches, did.Dispatches...)
		out.Cancelled = append(out.Cancelled, did.Cancelled...)
	}
	return out, nil
}

// decide applies a decision, whole or not at all.
func (l *Ledger) decide(r *row, d triggers.Decision, fresh bool) (did triggers.Fired, err error) {
	if d.Cancel > 0 {
		if fresh || d.State != "" || len(d.EventIDs)+len(d.Dispatches) > 0 {
			return did, errors.New("a decision that cancels dispatches does nothing else")
		}
		return triggers.Fired{Cancelled: l.cancel(r.ID, d.Cancel)}, nil
	}
	var events []*triggers.Event
	for _, id := range d.EventIDs {
		e := r.event(id)
		if e == nil && !fresh {
			return did, fmt.Errorf("event %s: %w", id, triggers.ErrNotFound)
		}
		if e == nil || e.FiringID != "" {
			return did, nil
		}
		events = append(events, e)
	}
	if d.FiringID == "" && d.State != triggers.EventHeld && d.State != triggers.EventPending {
		d.FiringID = fmt.Sprintf("firing %d", l.next())
	}
	for i, e := range events {
		e.State, e.Reason, e.FiringID = d.State, d.Reason, d.FiringID
		if d.State == triggers.EventFired && d.DedupeKeys != nil {
			r.deduped[d.DedupeKeys[i]] = true
		}
	}
	if d.FiringID == "" {
		return did, nil
	}
	f := triggers.Firing{ID: d.FiringID, TriggerID: r.ID, Revision: r.Revision, Decision: d.State, Reason: d.Reason, EventIDs: d.EventIDs, At: time.Now()}
	for _, dispatch := range d.Dispatches {
		dispatch.Number, dispatch.CreatedAt = int64(len(l.dispatches)+1), f.At
		dispatch.Status, dispatch.TriggerID, dispatch.FiringID = graph.Pending, r.ID, f.ID
		l.dispatches = append(l.dispatches, dispatch)
		did.Dispatches = append(did.Dispatches, dispatch)
		if f.DispatchIDs = append(f.DispatchIDs, dispatch.ID); len(f.DispatchIDs) == 1 {
			f.Inputs = dispatch.Inputs
		}
	}
	r.firings = append(r.firings, f)
	r.LastFiringAt = f.At
	return did, nil
}

// cancel asks the oldest dispatches of a trigger to end, and ends those that have not
// begun.
func (l *Ledger) cancel(trigger string, n int) (asked []string) {
	for i := range l.dispatches {
		d := &l.dispatches[i]
		if d.TriggerID != trigger || d.Status.Terminal() || !d.CancelRequestedAt.IsZero() || len(asked) == n {
			continue
		}
		d.CancelRequestedAt = time.Now()
		if d.Status != graph.Running {
			l.ended(d, graph.Cancelled)
		}
		asked = append(asked, d.ID)
	}
	return asked
}
