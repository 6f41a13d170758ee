package triggertest

import (
	"context"
	"time"

	"github.com/latticed/latticed/triggers"
)

func (r *row) trigger() triggers.Trigger {
	t := r.Trigger
	t.Pending, t.OldestAt = 0, time.Time{}
	for _, e := range r.events {
		if e.State == triggers.EventPending || e.State == triggers.EventHeld {
			if t.Pending == 0 {
				t.OldestAt = e.At
			}
			t.Pending++
		}
	}
	return t
}

// Triggers implements triggers.Ledger.
func (l *Ledger) Triggers(context.Context) (ts []triggers.Trigger, err error) {
	err = l.begin("Triggers")
	defer l.end("Triggers", &err)
	if err != nil {
		return nil, err
	}
	for _, r := range l.triggers {
		if !r.removed {
			ts = append(ts, r.trigger())
		}
	}
	return ts, nil
}

// Trigger implements triggers.Ledger.
func (l *Ledger) Trigger(_ context.Context, idOrName string) (t triggers.Trigger, err error) {
	err = l.begin("Trigger")
	defer l.end("Trigger", &err)
	if err != nil {
		return t, err
	}
	r, err := l.find(idOrName)
	if err != nil {
		return t, err
	}
	return r.trigger(), nil
}

// CreateTrigger implements triggers.Ledger.
func (l *Ledger) CreateTrigger(_ context.Context, t triggers.Trigger) (_ triggers.Trigger, err error) {
	err = l.begin("CreateTrigger")
	defer l.end("CreateTrigger", &err)
	if err != nil {
		return t, err
	}
	if _, err := l.find(t.Name); err == nil {
		return t, &triggers.ConflictError{Code: "name_taken", Message: "the name " + t.Name + " is taken"}
	}
	t.Revision, t.State, t.Seq = 1, triggers.Preparing, l.next()
	t.CreatedAt, t.UpdatedAt = time.Now(), time.Now()
	l.triggers[t.ID] = &row{Trigger: t, entities: map[string]triggers.Change{}, keys: map[string]bool{}, deduped: map[string]bool{}}
	return t, nil
}

// ReviseTrigger implements triggers.Ledger.
func (l *Ledger) ReviseTrigger(_ context.Context, t triggers.Trigger) (_ triggers.Trigger, err error) {
	err = l.begin("ReviseTrigger")
	defer l.end("ReviseTrigger", &err)
	if err != nil {
		return t, err
	}
	r, err := l.revised(t.ID, t.Revision)
	if err != nil {
		return t, err
	}
	t.Revision, t.Seq, t.State, t.Reason = t.Revision+1, l.next(), r.State, r.Reason
	t.NextAt, t.LastEventAt, t.LastFiringAt, t.UpdatedAt = r.NextAt, r.LastEventAt, r.LastFiringAt, time.Now()
	r.Trigger = t
	for _, e := range r.events {
		if e.State == triggers.EventHeld && e.Reason == triggers.ReasonLoop {
			e.Generation = 0
		}
	}
	return t, nil
}

// RemoveTrigger implements triggers.Ledger.
func (l *Ledger) RemoveTrigger(_ context.Context, id string) (err error) {
	err = l.begin("RemoveTrigger")
	defer l.end("RemoveTrigger", &err)
	if err != nil {
		return err
	}
	r, err := l.find(id)
	if err != nil {
		return err
	}
	r.removed = true
	for _, e := range r.events {
		if e.State == triggers.EventPending || e.State == triggers.EventHeld {
			e.State, e.Reason = triggers.EventSkipped, "trigger_removed"
		}
	}
	return nil
}

// SetTriggerState implements triggers.Ledger.
func (l *Ledger) SetTriggerState(_ context.Context, id string, s triggers.State, reason string, next time.Time) (err error) {
	err = l.begin("SetTriggerState")
	defer l.end("SetTriggerState", &err)
	if err != nil {
		return err
	}
	r, err := l.find(id)
	if err != nil {
		return err
	}
	if r.State == triggers.Paused && s != triggers.Paused {
		r.UpdatedAt = time.Now()
	}
	r.State, r.Reason = s, reason
	if !next.IsZero() {
		r.NextAt = next
	}
	r.states = append(r.states, string(s)+" "+reason)
	return nil
}
