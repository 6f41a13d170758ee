package store

import (
	"context"
	"database/sql"

	"github.com/latticed/latticed/graph"
)

// reasonCancelled says that somebody asked.
const reasonCancelled = "cancelled"

// RequestCancel ends a new or pending dispatch as cancelled at once, and marks a
// running one; a terminal or already marked one is returned as it is. It tells whether
// this call has changed something.
func (s *Store) RequestCancel(ctx context.Context, id string) (d graph.Dispatch, changed bool, err error) {
	d, err = s.changeDispatch(ctx, "cancel", id, func(t *tx, number int64) error {
		changed, err = t.cancelDispatch(number)
		return err
	})
	return d, changed && err == nil, err
}

// cancelDispatch asks for the end of one, and tells whether nobody had before.
func (t *tx) cancelDispatch(number int64) (first bool, err error) {
	c := cancelling{number: number}
	var asked sql.NullInt64
	err = t.row("SELECT id, status, trigger, cancel_requested_at FROM dispatches WHERE number = ?", []any{number}, &c.id, &c.status, &c.trigger, &asked)
	if err != nil || asked.Valid || c.status.Terminal() {
		return false, err
	}
	_, err = t.requestCancel(c)
	return err == nil, err
}

// cancelling is a dispatch that somebody asks to end and nobody has asked before.
type cancelling struct {
	number, trigger int64
	id              string
	status          graph.Status
}

// requestCancel marks what runs and ends what has not begun, which it tells.
func (t *tx) requestCancel(c cancelling) (ended bool, err error) {
	if c.status == graph.Running {
		t.countEnding(c.trigger)
		delete(t.w.live, c.id) // it is read again, with the mark
		return false, t.guarded("UPDATE dispatches SET cancel_requested_at = ?, seq = ? WHERE number = ? AND status = 'running'", t.now, t.seq(), c.number)
	}
	t.countEnd(c.trigger, false, t.now)
	if err := t.leaveSweep(c.number); err != nil {
		return false, err
	}
	// Electrons that were asked to end have rows already; the others have none.
	if _, err := t.exec("UPDATE electrons SET status = 'cancelled', reason = ?, ended_at = ? WHERE dispatch = ?", reasonCancelled, t.now, c.number); err != nil {
		return false, err
	}
	seq := t.seq()
	return true, t.guarded(`UPDATE dispatches SET status = 'cancelled', reason = ?, waiting = NULL, cancelled = total,
		cancel_requested_at = ?, ended_at = ?, seq = ?, ended_seq = ? WHERE number = ? AND status = ?`,
		reasonCancelled, t.now, t.now, seq, seq, c.number, string(c.status))
}

// oldestInFlight finds dispatches of a trigger that nobody has asked to end.
const oldestInFlight = `SELECT number, id, status FROM dispatches INDEXED BY dispatches_in_flight
	WHERE trigger = ? AND (status = 'new' OR status = 'pending' OR status = 'running') AND cancel_requested_at IS NULL ORDER BY number LIMIT ?`

// cancel asks the oldest dispatches of the trigger to end.
func (f *firings) cancel(n int) error {
	var all []cancelling
	err := f.t.rows(oldestInFlight, []any{f.trigger.n, n}, func(r rowScanner) error {
		c := cancelling{trigger: f.trigger.n}
		err := r.Scan(&c.number, &c.id, &c.status)
		all = append(all, c)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range all {
		ended, err := f.t.requestCancel(c)
		if err != nil {
			return err
		}
		if f.t.touched(c.id); ended {
			f.t.ended(c.id)
		}
		f.cancelled = append(f.cancelled, c.id)
	}
	return nil
}
