package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// RequestCancels is RequestCancel for several, in that order and in one transaction. It
// returns those that are there, and tells of each whether this call has changed it.
func (s *Store) RequestCancels(ctx context.Context, ids []string) ([]graph.Dispatch, []bool, error) {
	var ds []graph.Dispatch
	var changed []bool
	err := s.change(ctx, func(t *tx) error {
		ds, changed = nil, nil
		for _, id := range ids {
			number, err := dispatchNumber(t, id)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			first, err := t.cancelDispatch(number)
			if err != nil {
				return err
			}
			d, err := dispatchBy(t, id)
			if err != nil {
				return err
			}
			if t.touched(d.ID); d.Status.Terminal() {
				t.ended(d.ID)
			}
			ds, changed = append(ds, d), append(changed, first)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cancel %d dispatches: %w", len(ids), err)
	}
	return ds, changed, nil
}
