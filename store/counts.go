package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Counts returns the numbers of now.
func (s *Store) Counts(ctx context.Context, id string) (triggers.Counts, error) {
	_, c, err := s.triggerCount(ctx, id)
	return triggers.Counts{Pending: c.pending, InFlight: c.inFlight, Ending: c.ending}, err
}

// triggerCount looks up what is counted of a trigger, removed or not.
func (s *Store) triggerCount(ctx context.Context, id string) (int64, triggerCount, error) {
	var n int64
	err := s.quick(ctx, func(q querier) error { return q.row(triggerNumber, []any{id}, &n) })
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("trigger", id)
	}
	if err != nil {
		return 0, triggerCount{}, err
	}
	return n, s.counters.of(n), nil
}

// lastEnds looks at the newest dispatches of a trigger; when those of this process
// ended is known without. One that had outlived 256 newer ones when an earlier process
// stopped is not seen: who waits for the last end then counts from an earlier one, once.
const lastEnds = `SELECT max(ended_at) FROM (SELECT ended_at FROM dispatches INDEXED BY dispatches_trigger
	WHERE trigger = ? ORDER BY created_at DESC LIMIT 256)`

// Runs tells how the dispatches of a trigger stand.
func (s *Store) Runs(ctx context.Context, id string) (triggers.Runs, error) {
	n, c, err := s.triggerCount(ctx, id)
	if err != nil {
		return triggers.Runs{}, err
	}
	var stored int64
	if err := s.quick(ctx, func(q querier) error { return q.row(lastEnds, []any{n}, &stored) }); err != nil {
		return triggers.Runs{}, err
	}
	return triggers.Runs{Undecided: c.pending, InFlight: c.inFlight, LastEnd: fromMicros(max(stored, c.lastEnd))}, nil
}

// firingsBack goes back in time along the firings of a trigger that made a dispatch.
const firingsBack = `SELECT at, reason <> 'manual' FROM firings INDEXED BY firings_decision
	WHERE trigger = (` + triggerNumber + `) AND decision = 'fired' ORDER BY n DESC`

// Recent returns when the newest firings that made a dispatch were made, without those
// by hand: up to limit of those at or after since, oldest first.
func (s *Store) Recent(ctx context.Context, id string, since time.Time, limit int) ([]time.Time, error) {
	var times []time.Time
	err := s.quick(ctx, func(q querier) error {
		return q.rows(firingsBack, []any{id}, func(r rowScanner) error {
			var at int64
			var counts bool
			if err := r.Scan(&at, &counts); err != nil {
				return err
			}
			if at < since.UnixMicro() || len(times) >= limit {
				return errEnough // however many there were before
			}
			if counts {
				times = append(times, fromMicros(at))
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	slices.Reverse(times)
	return times, err
}
