package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// tx is the transaction of a group as its units see it.
type tx struct {
	w   *writer
	now int64 // µs; the rows of a transaction agree
	u   *unit // the one that runs

	freed int64 // bytes of assets that were removed, by units rolled back alone, too
}

func (w *writer) begin() (*tx, error) {
	if _, _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	return &tx{w: w, now: w.s.o.Now().UnixMicro()}, nil
}

// unit makes u the one that runs, with nothing of an earlier run left.
func (t *tx) unit(u *unit) {
	t.u = u
	u.after, u.wrote, u.ended, u.delta, u.once = nil, nil, nil, nil, nil
}

// forget drops what the writer remembers of rows that were rolled back. Sequence
// numbers go back too: Seq promises that what has one is stored.
func (t *tx) forget(seq int64) {
	t.w.seq = seq
	clear(t.w.lattices)
	clear(t.w.live)
}

// seq hands out the next sequence number.
func (t *tx) seq() int64 {
	t.w.seq++
	return t.w.seq
}

// after runs f once the unit is durable. f must be short.
func (t *tx) after(f func()) { t.u.after = append(t.u.after, f) }

// touched wakes the watchers of a dispatch once the unit is durable.
func (t *tx) touched(dispatch string) { t.u.wrote = append(t.u.wrote, dispatch) }

// ended wakes, besides those, who waits for its end.
func (t *tx) ended(dispatch string) {
	t.touched(dispatch)
	t.u.ended = append(t.u.ended, dispatch)
}

// time is the instant of the transaction.
func (t *tx) time() time.Time { return fromMicros(t.now) }

// gorm is for what is not hot.
func (t *tx) gorm() *gorm.DB {
	db := t.w.s.write.Session(&gorm.Session{NewDB: true, Context: context.Background()}) // with a statement of its own
	db.Statement.ConnPool = t.w.conn                                                     // it is in the transaction
	return db
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(q string, args ...any) (int64, error) {
	changed, _, err := t.w.exec(q, args...)
	return changed, err
}

// insert runs an INSERT of one row and returns its rowid.
func (t *tx) insert(q string, args ...any) (int64, error) {
	_, rowid, err := t.w.exec(q, args...)
	return rowid, err
}

func (t *tx) row(q string, args []any, into ...any) error { return t.w.row(q, args, into...) }

func (t *tx) rows(q string, args []any, scan func(rowScanner) error) error {
	return t.w.rows(q, args, scan)
}
