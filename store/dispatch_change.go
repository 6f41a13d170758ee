package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// StartDispatch moves new → pending; ErrStale otherwise.
func (s *Store) StartDispatch(ctx context.Context, id string) (graph.Dispatch, error) {
	return s.changeDispatch(ctx, "start", id, func(t *tx, number int64) error {
		n, err := t.exec("UPDATE dispatches SET status = 'pending', seq = ? WHERE number = ? AND status = 'new'", t.seq(), number)
		if err == nil && n == 0 {
			err = graph.ErrStale
		}
		return err
	})
}

// PatchDispatch changes what people may change.
func (s *Store) PatchDispatch(ctx context.Context, id string, p DispatchPatch) (graph.Dispatch, error) {
	return s.changeDispatch(ctx, "patch", id, func(t *tx, number int64) error {
		if p.Note != nil {
			if _, err := t.exec("UPDATE dispatches SET note = ? WHERE number = ?", text(*p.Note), number); err != nil {
				return err
			}
		}
		if p.Keep != nil {
			if _, err := t.exec("UPDATE dispatches SET keep = ? WHERE number = ?", *p.Keep, number); err != nil {
				return err
			}
		}
		if len(p.Labels) > 0 {
			if err := t.patchLabels(number, p.Labels); err != nil {
				return err
			}
		}
		_, err := t.exec("UPDATE dispatches SET seq = ? WHERE number = ?", t.seq(), number)
		return err
	})
}

func (t *tx) patchLabels(number int64, patch map[string]*string) error {
	var stored sql.NullString
	var createdAt int64
	if err := t.row("SELECT labels, created_at FROM dispatches WHERE number = ?", []any{number}, &stored, &createdAt); err != nil {
		return err
	}
	labels, err := fromJSONMap[string](stored.String)
	if err != nil {
		return err
	}
	if labels == nil {
		labels = map[string]string{}
	}
	for k, v := range patch {
		if v == nil {
			delete(labels, k)
		} else {
			labels[k] = *v
		}
	}
	column, err := jsonText(labels, len(labels) == 0)
	if err != nil {
		return err
	}
	if _, err := t.exec("UPDATE dispatches SET labels = ? WHERE number = ?", column, number); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM dispatch_labels WHERE dispatch = ?", number); err != nil {
		return err
	}
	return t.insertLabels(number, createdAt, labels)
}

// changeDispatch runs do for one dispatch and returns it as it is then.
func (s *Store) changeDispatch(ctx context.Context, verb, id string, do func(t *tx, number int64) error) (graph.Dispatch, error) {
	var d graph.Dispatch
	err := s.change(ctx, func(t *tx) error {
		number, err := dispatchNumber(t, id)
		if err != nil {
			return err
		}
		if err := do(t, number); err != nil {
			return err
		}
		if d, err = dispatchBy(t, id); err != nil {
			return err
		}
		if t.touched(d.ID); d.Status.Terminal() {
			t.ended(d.ID)
		}
		return t.effect(d)
	})
	if err != nil {
		return graph.Dispatch{}, fmt.Errorf("%s dispatch %s: %w", verb, id, err)
	}
	return d, nil
}
