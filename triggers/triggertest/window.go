package triggertest

import (
	"context"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Window implements triggers.Ledger.
func (l *Ledger) Window(_ context.Context, id string, after int64, limit int) (es []triggers.Event, err error) {
	err = l.begin("Window")
	defer l.end("Window", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, e := range r.events {
		if len(es) < limit && e.Seq > after && (e.State == triggers.EventPending || e.State == triggers.EventHeld) {
			es = append(es, *e)
		}
	}
	return es, nil
}

// Counts implements triggers.Ledger.
func (l *Ledger) Counts(_ context.Context, id string) (c triggers.Counts, err error) {
	err = l.begin("Counts")
	defer l.end("Counts", &err)
	if err != nil {
		return c, err
	}
	r, err := l.row(id)
	if err != nil {
		return c, err
	}
	c.Pending = r.trigger().Pending
	for _, d := range l.dispatches {
		if d.TriggerID == id && !d.Status.Terminal() {
			c.InFlight++
			if !d.CancelRequestedAt.IsZero() {
				c.Ending++
			}
		}
	}
	return c, nil
}

// Fired implements triggers.Ledger.
func (l *Ledger) Fired(_ context.Context, id string, keys []string) (fired []string, err error) {
	err = l.begin("Fired")
	defer l.end("Fired", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if r.deduped[key] {
			fired = append(fired, key)
		}
	}
	return fired, nil
}

// Recent implements triggers.Ledger.
func (l *Ledger) Recent(_ context.Context, id string, since time.Time, limit int) (at []time.Time, err error) {
	err = l.begin("Recent")
	defer l.end("Recent", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, f := range r.firings {
		if f.Decision == triggers.EventFired && f.Reason != triggers.ReasonManual && !f.At.Before(since) {
			at = append(at, f.At)
		}
	}
	return at[max(0, len(at)-limit):], nil
}

// LastFired implements triggers.Ledger.
func (l *Ledger) LastFired(_ context.Context, id string, limit int) (fired []triggers.FiredEvent, err error) {
	err = l.begin("LastFired")
	defer l.end("LastFired", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, f := range r.firings {
		for _, event := range f.EventIDs {
			if e := r.event(event); f.Decision == triggers.EventFired && pathOf(e.Payload) != "" {
				fired = append(fired, triggers.FiredEvent{Event: *e, Dispatch: f.DispatchIDs[0], Last: f.DispatchIDs[len(f.DispatchIDs)-1]})
			}
		}
	}
	return fired[max(0, len(fired)-limit):], nil
}

// Runs implements triggers.Ledger.
func (l *Ledger) Runs(_ context.Context, id string) (runs triggers.Runs, err error) {
	err = l.begin("Runs")
	defer l.end("Runs", &err)
	if err != nil {
		return runs, err
	}
	r, err := l.row(id)
	if err != nil {
		return runs, err
	}
	runs.Undecided = r.trigger().Pending
	for _, d := range l.dispatches {
		switch {
		case d.TriggerID != id:
		case !d.Status.Terminal():
			runs.InFlight++
		case d.EndedAt.After(runs.LastEnd):
			runs.LastEnd = d.EndedAt
		}
	}
	return runs, nil
}
