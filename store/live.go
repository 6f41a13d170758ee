package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// The indexes are named: by itself SQLite takes the one on status for what waits, and
// sorts all of it. What runs is at most a window; the plus keeps SQLite from walking
// all numbers instead of sorting those.
const (
	pendingNumbers = "SELECT number FROM dispatches INDEXED BY dispatches_pending WHERE status = 'pending' AND held IS NULL ORDER BY number"
	runningNumbers = "SELECT number FROM dispatches INDEXED BY dispatches_status WHERE status = 'running' AND +number > ? ORDER BY +number LIMIT ?"
)

// errEnough ends a query early.
var errEnough = errors.New("enough rows")

// Pending returns up to limit pending dispatches, oldest first, without those that wait
// for another of their sweep, and those whose numbers skip knows.
func (s *Store) Pending(ctx context.Context, limit int, skip func(number int64) bool) ([]graph.Dispatch, error) {
	if limit <= 0 {
		return nil, nil
	}
	var ds []graph.Dispatch
	err := s.quick(ctx, func(q querier) error {
		var ns []int64
		err := q.rows(pendingNumbers, nil, func(r rowScanner) error {
			var n int64
			if err := r.Scan(&n); err != nil || skip(n) {
				return err
			}
			if ns = append(ns, n); len(ns) == limit {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		for _, n := range ns {
			d, err := dispatchesBy(q, "WHERE d.number = ?", n)
			if err != nil {
				return err
			}
			ds = append(ds, d...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read pending dispatches: %w", err)
	}
	return ds, nil
}

// Live returns the running dispatches with Number > after, in order, for recovery.
func (s *Store) Live(ctx context.Context, after int64, limit int) ([]graph.Run, error) {
	var runs []graph.Run
	err := s.quick(ctx, func(q querier) error {
		ds, err := dispatchesBy(q, "WHERE d.number IN ("+runningNumbers+") ORDER BY d.number", after, limit)
		if err != nil {
			return err
		}
		runs = make([]graph.Run, len(ds))
		for i := range ds {
			runs[i].Dispatch = ds[i]
			if runs[i].Electrons, err = electronsOf(q, ds[i].Number, "idx >= 0", nil, -1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load live dispatches: %w", err)
	}
	return runs, nil
}

// Run returns one dispatch (id or number) with those of its electrons that have a row.
func (s *Store) Run(ctx context.Context, id string) (run graph.Run, err error) {
	err = s.quick(ctx, func(q querier) error {
		if run.Dispatch, err = dispatchBy(q, id); err != nil {
			return err
		}
		run.Electrons, err = electronsOf(q, run.Dispatch.Number, "idx >= 0", nil, -1)
		return err
	})
	return run, err
}
