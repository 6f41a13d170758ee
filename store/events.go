package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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

// Events returns events of a trigger (id or name, removed ones too), newest first. No
// states: all.
func (s *Store) Events(ctx context.Context, trigger string, states []triggers.EventState, limit int, after string) ([]triggers.Event, string, error) {
	var es []triggers.Event
	next := ""
	err := s.snapshot(ctx, func(r *reader) error {
		ns, more, err := r.history("events", "state", trigger, states, limitOf(limit), after)
		if err != nil || len(ns) == 0 {
			return err
		}
		next = more
		es, err = r.events("WHERE e.n IN ? ORDER BY e.n DESC", ns)
		return err
	})
	return es, next, err
}

// history returns the rows of a page of events or firings, newest first: one ordered
// walk per trigger and state.
func (r *reader) history(table, column, trigger string, states []triggers.EventState, limit int, after string) ([]int64, string, error) {
	c, err := parseCursor(table, after)
	if err != nil {
		return nil, "", err
	}
	triggerRows, err := triggerNumbers(r.db, trigger)
	if err != nil {
		return nil, "", err
	}
	before := int64(1) << 62
	if c != nil {
		before = c.N
	}
	if len(states) == 0 {
		states = []triggers.EventState{""}
	}
	var all []int64
	for _, t := range triggerRows {
		for _, st := range states {
			index, where, args := historyIndex(table, column, st)
			var ns []int64
			err := r.db.Raw(fmt.Sprintf("SELECT n FROM %s INDEXED BY %s WHERE trigger = ? AND n < ?%s ORDER BY n DESC LIMIT ?", table, index, where),
				slices.Concat([]any{t, before}, args, []any{limit + 1})...).Scan(&ns).Error
			if err != nil {
				return nil, "", err
			}
			all = append(all, ns...)
		}
	}
	slices.SortFunc(all, func(a, b int64) int { return cmp.Compare(b, a) })
	all = slices.Compact(all)
	if len(all) <= limit {
		return all, "", nil
	}
	return all[:limit], pageCursor{K: table, N: all[limit-1]}.String(), nil
}

// historyIndex names the index that holds a state in order.
func historyIndex(table, column string, st triggers.EventState) (index, where string, args []any) {
	switch st {
	case "":
		return table + "_trigger", "", nil
	case triggers.EventFired:
		return table + "_trigger", " AND " + column + " = ?", []any{string(st)}
	case triggers.EventPending, triggers.EventHeld:
		if table == "events" {
			return "events_undecided", " AND firing IS NULL AND state = ?", []any{string(st)}
		}
	case triggers.EventSkipped, triggers.EventRejected, triggers.EventDead:
	}
	decided := ""
	if table == "events" {
		decided = " AND firing IS NOT NULL"
	}
	return table + "_not_fired", decided + " AND " + column + " <> 'fired' AND " + column + " = ?", []any{string(st)}
}

// EventsByKeyPrefix returns events of a trigger (id or name) whose key begins with
// prefix, newest first.
func (s *Store) EventsByKeyPrefix(ctx context.Context, trigger, prefix string, limit int) ([]triggers.Event, error) {
	r := &reader{s.read.WithContext(ctx)}
	ns, err := triggerNumbers(r.db, trigger)
	if err != nil {
		return nil, err
	}
	return r.events("WHERE e.trigger IN ? AND e.key >= ? AND substr(e.key, 1, length(?)) = ? ORDER BY e.n DESC LIMIT ?",
		ns, prefix, prefix, prefix, limitOf(limit))
}

// EventsByPath returns events about a path (payload path or path_b64), newest first;
// trigger (id or name) may be empty.
func (s *Store) EventsByPath(ctx context.Context, trigger, path string, limit int) ([]triggers.Event, error) {
	r := &reader{s.read.WithContext(ctx)}
	if trigger == "" {
		return r.events("WHERE e.path = ? ORDER BY e.n DESC LIMIT ?", []byte(path), limitOf(limit))
	}
	ns, err := triggerNumbers(r.db, trigger)
	if err != nil {
		return nil, err
	}
	return r.events("WHERE e.path = ? AND e.trigger IN ? ORDER BY e.n DESC LIMIT ?", []byte(path), ns, limitOf(limit))
}
