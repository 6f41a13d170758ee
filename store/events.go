package store

import (
	"context"

	"github.com/latticed/latticed/triggers"
)

// eventView is an event with the ids behind its references.
type eventView struct {
	Row       eventRow `gorm:"embedded"`
	TriggerID string
	FiringID  string
}

const selectEvents = `SELECT e.*, t.id AS trigger_id, f.id AS firing_id FROM events e
	JOIN triggers t ON t.n = e.trigger LEFT JOIN firings f ON f.n = e.firing `

func fromEventView(v *eventView) triggers.Event {
	return triggers.Event{
		ID: v.Row.ID, TriggerID: v.TriggerID, Key: v.Row.Key, Kind: v.Row.Kind, At: fromMicros(v.Row.At), Payload: fromRawText(v.Row.Payload),
		State: triggers.EventState(v.Row.State), Reason: v.Row.Reason, FiringID: v.FiringID, Seq: v.Row.N, Generation: v.Row.Generation,
	}
}

func (r *reader) events(where string, args ...any) ([]triggers.Event, error) {
	var vs []eventView
	if err := r.db.Raw(selectEvents+where, args...).Scan(&vs).Error; err != nil {
		return nil, err
	}
	es := make([]triggers.Event, len(vs))
	for i := range vs {
		es[i] = fromEventView(&vs[i])
	}
	return es, nil
}

// Event returns one event of a trigger by its id, or ErrNotFound.
func (s *Store) Event(ctx context.Context, id, event string) (triggers.Event, error) {
	es, err := (&reader{s.read.WithContext(ctx)}).events("WHERE e.id = ? AND t.id = ?", event, id)
	if err == nil && len(es) == 0 {
		err = notFound("event", event)
	}
	if err != nil {
		return triggers.Event{}, err
	}
	return es[0], nil
}

// EventFilter selects events of a trigger; zero fields select all.
type EventFilter struct {
	Trigger string // id or name, removed ones too
	States  []triggers.EventState
	Kind    string
	Path    string // of the payload, as bytes
	Limit   int    // default 50, at most 500
	After   string // cursor: next of the page before
}

// EventsPage returns a page of events, newest first, and the cursor of the next one.
func (s *Store) EventsPage(ctx context.Context, f EventFilter) ([]triggers.Event, string, error) {
	var es []triggers.Event
	next := ""
	err := s.snapshot(ctx, func(r *reader) error {
		h := history{table: "events", states: f.States, limit: limitOf(f.Limit), after: f.After}
		if f.Kind != "" {
			h.and, h.args = " AND kind = ?", []any{f.Kind}
		}
		h.path = f.Path
		ns, more, err := r.history(h, f.Trigger)
		if err != nil || len(ns) == 0 {
			return err
		}
		next = more
		es, err = r.events("WHERE e.n IN ? ORDER BY e.n DESC", ns)
		return err
	})
	return es, next, err
}

// Events is EventsPage of what is in one of the states. No states: all.
func (s *Store) Events(ctx context.Context, trigger string, states []triggers.EventState, limit int, after string) ([]triggers.Event, string, error) {
	return s.EventsPage(ctx, EventFilter{Trigger: trigger, States: states, Limit: limit, After: after})
}
