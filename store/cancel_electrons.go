package store

import (
	"context"

	"github.com/latticed/latticed/graph"
)

// RequestCancelElectrons marks electrons (index → name) of a dispatch, those that have
// not ended, so that whoever walks it ends them; nothing is changed when the dispatch
// is over. It returns the dispatch and how many were marked by this call.
func (s *Store) RequestCancelElectrons(ctx context.Context, id string, electrons map[int]string) (d graph.Dispatch, marked int, err error) {
	d, err = s.changeDispatch(ctx, "cancel electrons of", id, func(t *tx, number int64) error {
		var status string
		marked = 0
		if err := t.row("SELECT status FROM dispatches WHERE number = ?", []any{number}, &status); err != nil {
			return err
		}
		if graph.Status(status).Terminal() {
			return nil
		}
		for i, name := range electrons {
			n, err := t.exec(`INSERT INTO electrons (dispatch, idx, name, status, cancel_requested_at) VALUES (?,?,?,'pending',?)
				ON CONFLICT (dispatch, idx) DO UPDATE SET cancel_requested_at = excluded.cancel_requested_at
				WHERE cancel_requested_at IS NULL AND (status = 'pending' OR status = 'running')`, number, i, name, t.now)
			if err != nil {
				return err
			}
			marked += int(n)
		}
		if marked == 0 {
			return nil
		}
		_, err := t.exec("UPDATE dispatches SET seq = ?, marked = marked OR status <> 'running' WHERE number = ?", t.seq(), number)
		return err
	})
	return d, marked, err
}
