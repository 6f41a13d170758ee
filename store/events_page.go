package store

import (
	"context"

	"github.com/latticed/latticed/triggers"
)

// EventFilter selects events of one trigger.
type EventFilter struct {
	Trigger string                // id or name, removed ones too
	States  []triggers.EventState // any of them
	Path    string                // of the payload, whole
	Limit   int                   // default 50, at most 500
	After   string                // cursor: next of the page before
}

// EventsPage returns a page, newest first, and the cursor of the next, empty on the
// last.
func (s *Store) EventsPage(ctx context.Context, f EventFilter) ([]triggers.Event, string, error) {
	if f.Path == "" {
		return s.Events(ctx, f.Trigger, f.States, f.Limit, f.After)
	}
	c, err := parseCursor("events", f.After)
	if err != nil {
		return nil, "", err
	}
	r := &reader{s.read.WithContext(ctx)}
	ns, err := triggerNumbers(r.db, f.Trigger)
	if err != nil {
		return nil, "", err
	}
	where, args := "WHERE e.path = ? AND e.trigger IN ?", []any{[]byte(f.Path), ns}
	if len(f.States) > 0 {
		where, args = where+" AND e.state IN ?", append(args, in(f.States))
	}
	if c != nil {
		where, args = where+" AND e.n < ?", append(args, c.N)
	}
	limit := limitOf(f.Limit)
	es, err := r.events(where+" ORDER BY e.n DESC LIMIT ?", append(args, limit+1)...)
	if err != nil || len(es) <= limit {
		return es, "", err
	}
	return es[:limit], pageCursor{K: "events", N: es[limit-1].Seq}.String(), nil
}
