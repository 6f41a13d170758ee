package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/latticed/latticed/triggers"
)

// firingView is a firing with what hangs on it.
type firingView struct {
	Row       firingRow `gorm:"embedded"`
	TriggerID string
	Inputs    string // of the first dispatch, while it exists
}

const selectFirings = `SELECT f.*, t.id AS trigger_id,
	(SELECT inputs FROM dispatches WHERE id = f.dispatches ->> 0) AS inputs FROM firings f JOIN triggers t ON t.n = f.trigger `

func (r *reader) firings(where string, args ...any) ([]triggers.Firing, error) {
	var vs []firingView
	if err := r.db.Raw(selectFirings+where, args...).Scan(&vs).Error; err != nil {
		return nil, err
	}
	ns := make([]int64, len(vs))
	for i := range vs {
		ns[i] = vs[i].Row.N
	}
	var members []struct {
		Firing int64
		ID     string
	}
	if err := r.db.Raw("SELECT firing, id FROM events WHERE firing IN ? ORDER BY n", ns).Scan(&members).Error; err != nil {
		return nil, err
	}
	events := map[int64][]string{}
	for _, m := range members {
		events[m.Firing] = append(events[m.Firing], m.ID)
	}
	fs := make([]triggers.Firing, len(vs))
	for i := range vs {
		v := &vs[i]
		fs[i] = triggers.Firing{
			ID: v.Row.ID, TriggerID: v.TriggerID, Revision: v.Row.Revision, Decision: triggers.EventState(v.Row.Decision), Reason: v.Row.Reason,
			EventIDs: events[v.Row.N], Inputs: fromRawText(v.Inputs), At: fromMicros(v.Row.At),
		}
		if v.Row.Dispatches == "" {
			continue
		}
		if err := json.Unmarshal([]byte(v.Row.Dispatches), &fs[i].DispatchIDs); err != nil {
			return nil, fmt.Errorf("dispatches of firing %s: %w", v.Row.ID, err)
		}
	}
	return fs, nil
}

// Firing returns one by id.
func (s *Store) Firing(ctx context.Context, id string) (triggers.Firing, error) {
	fs, err := (&reader{s.read.WithContext(ctx)}).firings("WHERE f.id = ?", id)
	if err == nil && len(fs) == 0 {
		err = notFound("firing", id)
	}
	if err != nil {
		return triggers.Firing{}, err
	}
	return fs[0], nil
}

// Firings returns firings of a trigger (id or name, removed ones too), newest first.
// No decisions: all.
func (s *Store) Firings(ctx context.Context, trigger string, decisions []triggers.EventState, limit int, after string) ([]triggers.Firing, string, error) {
	var fs []triggers.Firing
	next := ""
	err := s.snapshot(ctx, func(r *reader) error {
		ns, more, err := r.history(history{table: "firings", states: decisions, limit: limitOf(limit), after: after}, trigger)
		if err != nil || len(ns) == 0 {
			return err
		}
		next = more
		fs, err = r.firings("WHERE f.n IN ? ORDER BY f.n DESC", ns)
		return err
	})
	return fs, next, err
}
