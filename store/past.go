package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/latticed/latticed/triggers"
)

// Known returns those of the keys that events of the trigger have.
func (s *Store) Known(ctx context.Context, id string, keys []string) ([]string, error) {
	var known []string
	err := s.quick(ctx, func(q querier) error {
		for part := range slices.Chunk(keys, keysPerQuery) {
			n := placesFor(len(part))
			args := append(make([]any, 0, n+1), id)
			for i := range n {
				args = append(args, part[min(i, len(part)-1)])
			}
			err := q.rows(knownKeys(n), args, func(r rowScanner) error {
				known = append(known, "")
				return r.Scan(&known[len(known)-1])
			})
			if err != nil {
				return err
			}
		}
		past, err := past(q, id, eventKey, keys)
		known = append(known, past...)
		return err
	})
	return known, err
}

const keysPerQuery = 512

// placesFor rounds up, so that few statements are kept compiled; the last key fills
// the places that are left.
func placesFor(keys int) int {
	for _, n := range []int{1, 8, 64} {
		if keys <= n {
			return n
		}
	}
	return keysPerQuery
}

func knownKeys(n int) string {
	return "SELECT key FROM events WHERE trigger = (" + triggerNumber + ") AND key IN " + values(1, n)
}

// Past returns events in the given final states with Seq > after, oldest first.
func (s *Store) Past(ctx context.Context, id string, states []triggers.EventState, after int64, limit int) ([]triggers.Event, error) {
	var es []triggers.Event
	err := s.snapshot(ctx, func(r *reader) error {
		var all []int64
		for _, st := range states {
			q, args := pastNumbers(st)
			var ns []int64
			if err := r.db.Raw(q, slices.Concat([]any{id, after}, args, []any{limit})...).Scan(&ns).Error; err != nil {
				return err
			}
			all = append(all, ns...)
		}
		slices.SortFunc(all, cmp.Compare[int64])
		all = slices.Compact(all)
		var err error
		es, err = r.events("WHERE e.n IN ? ORDER BY e.n", all[:min(limit, len(all))])
		return err
	})
	return es, err
}

// pastNumbers walks the events of a trigger in a state; after id and n come args.
func pastNumbers(st triggers.EventState) (string, []any) {
	index, where, args := eventsIndex(st)
	return "SELECT n FROM events INDEXED BY " + index + " WHERE trigger = (" + triggerNumber + ") AND n > ?" + where + " ORDER BY n LIMIT ?", args
}

// eventsAbout follows selectEvents.
const eventsAbout = "WHERE e.path = ? AND +e.trigger = (" + triggerNumber + ") ORDER BY e.n DESC LIMIT ?"

// About returns the events of a trigger whose payload has this path, newest first.
func (s *Store) About(ctx context.Context, id, path string, limit int) ([]triggers.Event, error) {
	r := &reader{s.read.WithContext(ctx)}
	return r.events(eventsAbout, []byte(path), id, limit)
}

// lastFired goes back along the firings of a trigger that made a dispatch.
const lastFired = `SELECT e.n, e.id, e.key, e.kind, e.at, e.state, e.reason, e.payload, e.generation, f.id, f.dispatches ->> 0, f.dispatches ->> '$[#-1]'
	FROM firings f INDEXED BY firings_decision JOIN events e INDEXED BY events_firing ON e.firing = f.n
	WHERE f.trigger = (` + triggerNumber + `) AND f.decision = 'fired' AND e.path IS NOT NULL ORDER BY f.n DESC LIMIT ?`

// LastFired returns events about a path that have become dispatches: up to limit of the
// newest, oldest first.
func (s *Store) LastFired(ctx context.Context, id string, limit int) ([]triggers.FiredEvent, error) {
	var fired []triggers.FiredEvent
	err := s.quick(ctx, func(q querier) error {
		return q.rows(lastFired, []any{id, limit}, func(r rowScanner) error {
			e := triggers.FiredEvent{Event: triggers.Event{TriggerID: id}}
			var at int64
			var payload string
			err := r.Scan(&e.Seq, &e.ID, &e.Key, &e.Kind, &at, &e.State, &e.Reason, &payload, &e.Generation, &e.FiringID, &e.Dispatch, &e.Last)
			e.At, e.Payload = fromMicros(at), fromRawText(payload)
			fired = append(fired, e)
			return err
		})
	})
	slices.Reverse(fired)
	return fired, err
}
