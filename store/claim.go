package store

import (
	"context"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// The indexes are named: by itself SQLite takes the one on status and sorts all that
// wait.
const (
	pendingNumbers = "SELECT number FROM dispatches INDEXED BY dispatches_pending WHERE status = 'pending' ORDER BY number LIMIT ?"
	runningNumbers = "SELECT number FROM dispatches INDEXED BY dispatches_running WHERE status = 'running' AND number > ? ORDER BY number LIMIT ?"
)

// Claim moves up to limit pending dispatches to running, oldest first.
func (s *Store) Claim(ctx context.Context, limit int) ([]graph.Run, error) {
	// Usually nothing waits: that is learned beside the writer.
	var waits []int64
	err := s.read.WithContext(ctx).Raw(pendingNumbers, 1).Scan(&waits).Error
	if err != nil || len(waits) == 0 || limit <= 0 {
		return nil, err
	}
	var runs []graph.Run
	err = s.change(ctx, func(t *tx) error {
		ds, err := t.claim(limit)
		runs = make([]graph.Run, len(ds))
		for i := range ds {
			runs[i].Dispatch = ds[i]
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim dispatches: %w", err)
	}
	return runs, nil
}

func (t *tx) claim(limit int) ([]graph.Dispatch, error) {
	var vs []dispatchView
	err := t.gorm().Raw(selectDispatches+"WHERE d.number IN ("+pendingNumbers+") ORDER BY d.number", limit).Scan(&vs).Error
	if err != nil {
		return nil, err
	}
	for i := range vs {
		v := &vs[i].Row
		v.Status, v.StartedAt, v.Seq, v.Waiting, v.Reason = string(graph.Running), t.now, t.seq(), "", ""
		err := t.guarded("UPDATE dispatches SET status = 'running', waiting = NULL, reason = NULL, started_at = ?, seq = ? WHERE number = ? AND status = 'pending'",
			t.now, v.Seq, v.Number)
		if err != nil {
			return nil, err
		}
		t.w.live[v.ID] = liveRef{v.Number, v.Trigger}
		t.touched(v.ID)
	}
	return fromDispatchViews(vs)
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
