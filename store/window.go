package store

import (
	"context"
	"slices"

	"github.com/latticed/latticed/triggers"
)

const (
	triggerNumber   = "SELECT n FROM triggers WHERE id = ?"
	undecidedEvents = `SELECT n, id, key, kind, at, state, reason, payload, generation FROM events
		WHERE trigger = (` + triggerNumber + `) AND firing IS NULL AND n > ? ORDER BY n LIMIT ?`
	firedKeys = "SELECT DISTINCT dedupe FROM events WHERE trigger = (" + triggerNumber + ") AND dedupe IN "
)

// Window returns up to limit pending and held events with Seq > after, oldest first.
func (s *Store) Window(ctx context.Context, id string, after int64, limit int) ([]triggers.Event, error) {
	var es []triggers.Event
	err := s.quick(ctx, func(q querier) error {
		return q.rows(undecidedEvents, []any{id, after, limit}, func(r rowScanner) error {
			e := triggers.Event{TriggerID: id}
			var at int64
			var payload string
			err := r.Scan(&e.Seq, &e.ID, &e.Key, &e.Kind, &at, &e.State, &e.Reason, &payload, &e.Generation)
			e.At, e.Payload = fromMicros(at), fromRawText(payload)
			es = append(es, e)
			return err
		})
	})
	return es, err
}

// Fired returns those of the dedupe keys that were kept with fired events of the
// trigger, over all its revisions.
func (s *Store) Fired(ctx context.Context, id string, keys []string) ([]string, error) {
	var found []string
	err := s.quick(ctx, func(q querier) error {
		for part := range slices.Chunk(keys, rowsPerStatement) {
			args := []any{id}
			for _, key := range part {
				args = append(args, key)
			}
			err := q.rows(firedKeys+values(1, len(part)), args, func(r rowScanner) error {
				var key string
				err := r.Scan(&key)
				found = append(found, key)
				return err
			})
			if err != nil {
				return err
			}
		}
		past, err := past(q, id, dedupeKey, keys)
		found = append(found, past...)
		return err
	})
	return found, err
}
