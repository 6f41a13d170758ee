package spool

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The states of an event in the spool.
const (
	waiting = "waiting" // its turn comes
	held    = "held"    // not complete; it is amended once it is
	refused = "refused" // who takes events doesn't take this one; tried again at the next start
	done    = "done"    // only its key is remembered
)

// Event is one that was not delivered yet.
type Event struct {
	N       int64 // order of storing
	Key     string
	Kind    string
	At      time.Time // when it was spooled
	Payload json.RawMessage
}

// Next returns the oldest event that waits; false when there is none.
func (s *Spool) Next(ctx context.Context) (Event, bool, error) {
	var e Event
	var at int64
	var payload string
	err := s.db.QueryRowContext(ctx, "SELECT n, key, kind, at, payload FROM events WHERE state = 'waiting' ORDER BY n LIMIT 1").Scan(&e.N, &e.Key, &e.Kind, &at, &payload)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	e.At, e.Payload = time.UnixMicro(at), json.RawMessage(payload)
	return e, err == nil, err
}

// Added tells that events may be waiting; it has one slot.
func (s *Spool) Added() <-chan struct{} { return s.added }

// Done says that an event was delivered: it won't come again.
func (s *Spool) Done(ctx context.Context, e Event) error {
	err := s.tx(ctx, func(t *sql.Tx) error {
		if _, err := t.ExecContext(ctx, "UPDATE events SET state = 'done', reason = '', payload = NULL WHERE n = ?", e.N); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, "DELETE FROM events WHERE n IN (SELECT n FROM events WHERE state = 'done' AND n <= ? ORDER BY n LIMIT 100)", e.N-remembered)
		return err
	})
	if err != nil {
		return fmt.Errorf("write the spool: %w", err)
	}
	s.grow(-int64(len(e.Payload) + len(e.Key)))
	if s.roomy() {
		nudge(s.freed)
	}
	return nil
}

// Refuse puts an event aside that is not taken for what it is. It stays in the spool, is
// shown, and gets another chance when the spool is opened again.
func (s *Spool) Refuse(ctx context.Context, e Event, why string) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE events SET state = 'refused', reason = ? WHERE n = ?", why, e.N); err != nil {
		return fmt.Errorf("write the spool: %w", err)
	}
	return nil
}

// roomy tells whether a full spool has become empty enough to look at the world again.
func (s *Spool) roomy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes < s.o.Limit-s.o.Limit/4
}
