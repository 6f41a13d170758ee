package spool

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Health is how watching and delivering are going.
type Health struct {
	State   triggers.State `json:"state"`   // of the source
	Reason  string         `json:"reason"`  // why it is not active
	Trouble string         `json:"trouble"` // why nothing is delivered; empty: nothing is in the way
	Since   time.Time      `json:"since"`   // of the last change of these
}

// Status is what is in a spool.
type Status struct {
	Owner   string    `json:"trigger"`
	Running bool      `json:"running"` // a process has it
	Health  Health    `json:"health"`
	Waiting int64     `json:"waiting"` // events to be delivered
	Held    int64     `json:"held"`    // events that are not complete
	Refused []Refused `json:"refused"` // the oldest hundred
	Bytes   int64     `json:"bytes"`   // of what is not delivered
	Oldest  time.Time `json:"oldest,omitzero"`
}

// Refused is an event that is not taken.
type Refused struct {
	Key    string    `json:"key"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Read looks at the spool in a folder, also while a process has it. An error of
// fs.ErrNotExist: there is none.
func Read(ctx context.Context, dir string) (st Status, err error) {
	if _, err := os.Stat(file(dir)); err != nil {
		return st, err
	}
	db, err := open(file(dir), "rw", "query_only(1)") // "ro" could not roll back what a crash has left
	if err != nil {
		return st, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := &Spool{db: db}
	if st, err = s.Status(ctx); err != nil {
		return st, fmt.Errorf("read the spool %s: %w", dir, err)
	}
	st.Running = Busy(dir)
	return st, nil
}

// Status tells what is in the spool.
func (s *Spool) Status(ctx context.Context) (Status, error) {
	st := Status{Running: true, Refused: []Refused{}}
	var err error
	if st.Owner, err = s.meta(ctx, "owner"); err != nil {
		return st, err
	}
	if st.Owner == "" {
		return st, fs.ErrNotExist
	}
	health, err := s.meta(ctx, "health")
	if err == nil && health != "" {
		err = json.Unmarshal([]byte(health), &st.Health)
	}
	if err != nil {
		return st, err
	}
	var oldest sql.NullInt64
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'held'),
		coalesce(sum(length(payload) + length(key)), 0), min(at) FROM events WHERE state <> 'done'`).Scan(&st.Waiting, &st.Held, &st.Bytes, &oldest)
	if err != nil {
		return st, err
	}
	if oldest.Valid {
		st.Oldest = time.UnixMicro(oldest.Int64).UTC()
	}
	rows, err := s.db.QueryContext(ctx, "SELECT key, at, reason FROM events WHERE state = 'refused' ORDER BY n LIMIT 100")
	if err != nil {
		return st, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Refused
		var at int64
		if err := rows.Scan(&r.Key, &at, &r.Reason); err != nil {
			return st, err
		}
		r.At = time.UnixMicro(at).UTC()
		st.Refused = append(st.Refused, r)
	}
	return st, rows.Err()
}

// report is From.Health.
func (s *Spool) report(state triggers.State, reason string) {
	s.change(func(h *Health) { h.State, h.Reason = state, reason })
}

// Trouble says why nothing is delivered, or that nothing is in the way.
func (s *Spool) Trouble(why string) {
	s.change(func(h *Health) { h.Trouble = why })
}

// Health is how it is going.
func (s *Spool) Health() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// change logs and stores how it is going, when that has changed.
func (s *Spool) change(do func(*Health)) {
	s.mu.Lock()
	old := s.health
	do(&s.health)
	if s.health == old {
		s.mu.Unlock()
		return
	}
	s.health.Since = time.Now().UTC().Truncate(time.Microsecond)
	now := s.health
	s.mu.Unlock()
	if now.State != old.State || now.Reason != old.Reason {
		s.o.Log.Info().Str("state", string(now.State)).Str("reason", now.Reason).Msg("watching")
	}
	switch now.Trouble {
	case old.Trouble:
	case "":
		s.o.Log.Info().Msg("delivering again")
	default:
		s.o.Log.Warn().Str("reason", now.Trouble).Msg("nothing is delivered")
	}
	text, err := json.Marshal(now)
	if err == nil {
		err = s.set(context.Background(), "health", string(text))
	}
	if err != nil {
		s.o.Log.Warn().Err(err).Msg("how it is going could not be stored")
	}
}
