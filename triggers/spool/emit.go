package spool

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Emit is triggers.Emit: it saves a batch whole or, with an error, nothing of it. When
// the spool is full that is ErrFull, unless the batch has no new events: what is held may
// be complete now.
func (s *Spool) Emit(ctx context.Context, b triggers.Batch) error {
	var grown int64
	err := s.tx(ctx, func(t *sql.Tx) error {
		grown = 0
		if b.Cursor != nil {
			if _, err := t.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES ('cursor', ?) ON CONFLICT DO UPDATE SET value = excluded.value", string(b.Cursor)); err != nil {
				return err
			}
		}
		for _, c := range b.Entities {
			if err := put(ctx, t, c); err != nil {
				return err
			}
		}
		for _, e := range b.Events {
			n, err := s.add(ctx, t, e)
			if err != nil {
				return err
			}
			grown += n
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the spool: %w", err)
	}
	s.grow(grown)
	if len(b.Events) > 0 {
		nudge(s.added)
	}
	return nil
}

func put(ctx context.Context, t *sql.Tx, c triggers.Change) error {
	if c.Deleted {
		_, err := t.ExecContext(ctx, "DELETE FROM entities WHERE key = ?", c.Key)
		return err
	}
	var data any
	if c.Data != nil {
		data = string(c.Data)
	}
	_, err := t.ExecContext(ctx, "INSERT INTO entities (key, version, data) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, data = excluded.data",
		c.Key, c.Version, data)
	return err
}

// add stores an event unless its key is known; one that amends takes the place of one
// that was not delivered. It returns by how many bytes the spool has grown.
func (s *Spool) add(ctx context.Context, t *sql.Tx, e triggers.Event) (int64, error) {
	now := time.Now()
	state, reason, err := s.judge(e, now)
	if err != nil || state == "" {
		return 0, err
	}
	payload := string(e.Payload)
	var old sql.NullString
	err = t.QueryRowContext(ctx, "SELECT payload FROM events WHERE key = ?", e.Key).Scan(&old)
	switch {
	case errors.Is(err, sql.ErrNoRows) && s.full():
		return 0, ErrFull
	case errors.Is(err, sql.ErrNoRows):
		_, err = t.ExecContext(ctx, "INSERT INTO events (key, kind, at, payload, state, reason) VALUES (?, ?, ?, ?, ?, ?)", e.Key, e.Kind, now.UnixMicro(), payload, state, reason)
		return int64(len(payload) + len(e.Key)), err
	case err != nil || !e.Amends || !old.Valid:
		return 0, err
	}
	_, err = t.ExecContext(ctx, "UPDATE events SET payload = ?, state = ?, reason = ? WHERE key = ?", payload, state, reason, e.Key)
	return int64(len(payload) - len(old.String)), err
}

// judge says what becomes of an event; the empty state: nothing.
func (s *Spool) judge(e triggers.Event, now time.Time) (state, reason string, err error) {
	if s.o.Judge == nil {
		return waiting, "", nil
	}
	var fields map[string]any
	if err := json.Unmarshal(e.Payload, &fields); err != nil {
		return "", "", fmt.Errorf("read the event %s: %w", e.Key, err)
	}
	switch j := s.o.Judge(fields, now); {
	case j.Skip != "":
		return "", "", nil
	case j.Hold != "":
		return held, j.Hold, nil
	}
	return waiting, "", nil
}

func (s *Spool) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes >= s.o.Limit
}

func (s *Spool) grow(by int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += by
}

// from is where a source left off.
func (s *Spool) from(ctx context.Context, wake func()) (triggers.From, error) {
	cursor, err := s.meta(ctx, "cursor")
	if err != nil {
		return triggers.From{}, fmt.Errorf("read the spool: %w", err)
	}
	from := triggers.From{
		Entities: s.entities, Entity: s.entity, Health: s.report, Wake: wake,
		Runs: func(context.Context) (triggers.Runs, error) { return triggers.Runs{}, nil },
	}
	if cursor != "" {
		from.Cursor = json.RawMessage(cursor)
	}
	return from, nil
}

func (s *Spool) entities(ctx context.Context, f func(triggers.Change) error) error {
	rows, err := s.db.QueryContext(ctx, "SELECT key, version, data FROM entities ORDER BY key")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c triggers.Change
		var data sql.NullString
		if err := rows.Scan(&c.Key, &c.Version, &data); err != nil {
			return err
		}
		if data.Valid {
			c.Data = json.RawMessage(data.String)
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Spool) entity(ctx context.Context, key []byte) (triggers.Change, bool, error) {
	c := triggers.Change{Key: key}
	var data sql.NullString
	err := s.db.QueryRowContext(ctx, "SELECT version, data FROM entities WHERE key = ?", key).Scan(&c.Version, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if data.Valid {
		c.Data = json.RawMessage(data.String)
	}
	return c, err == nil, err
}
