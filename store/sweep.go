package store

import (
	"database/sql"
	"errors"

	"github.com/latticed/latticed/graph"
)

// nextHeld finds who goes next of a sweep.
const nextHeld = "SELECT number, id FROM dispatches INDEXED BY dispatches_held WHERE held = ? ORDER BY number LIMIT 1"

// letNext lets the next of a sweep go, in the transaction in which one that was let go
// before ends: so neither a crash nor anything else leaves the place empty.
func (t *tx) letNext(sweep int64) error {
	if sweep == 0 {
		return nil
	}
	var number int64
	var id string
	switch err := t.row(nextHeld, []any{sweep}, &number, &id); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	t.touched(id)
	return t.guarded("UPDATE dispatches SET held = NULL, seq = ? WHERE number = ? AND held = ?", t.seq(), number, sweep)
}

// leaveSweep takes a dispatch that has not begun and never will out of its sweep: its
// place, if it had one, is the next one's.
func (t *tx) leaveSweep(number int64) error {
	var sweep, held int64
	if err := t.row("SELECT sweep, held FROM dispatches WHERE number = ?", []any{number}, &sweep, &held); err != nil {
		return err
	}
	if held == 0 {
		return t.letNext(sweep)
	}
	return t.guarded("UPDATE dispatches SET held = NULL WHERE number = ?", number)
}

// held is the column of that name.
func held(d *graph.Dispatch) any {
	if d.Held {
		return d.Sweep
	}
	return nil
}
