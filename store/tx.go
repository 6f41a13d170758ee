package store

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"
)

// tx is the transaction of a group as its units see it.
type tx struct {
	w   *writer
	sql *sql.Tx
	now int64 // µs; the rows of a transaction agree
	u   *unit // the one that runs
}

func (w *writer) begin() (*tx, error) {
	t, err := w.conn.BeginTx(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	return &tx{w: w, sql: t, now: w.s.o.Now().UnixMicro()}, nil
}

// unit makes u the one that runs, with nothing of an earlier run left.
func (t *tx) unit(u *unit) {
	t.u = u
	u.after, u.wrote, u.delta, u.once = nil, nil, nil, nil
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

// time is the instant of the transaction.
func (t *tx) time() time.Time { return fromMicros(t.now) }

// gorm is for what is not hot.
func (t *tx) gorm() *gorm.DB {
	db := t.w.s.write.Session(&gorm.Session{NewDB: true})
	db.Statement.ConnPool = t.sql
	return db
}

// exec runs a statement and returns how many rows it changed. No context: the driver
// would start a goroutine per statement to watch it.
func (t *tx) exec(q string, args ...any) (int64, error) {
	if p := t.w.prepared; p != nil {
		changed, _, err := p.exec(q, args)
		return changed, err
	}
	r, err := t.sql.Exec(q, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert runs an INSERT of one row and returns its rowid.
func (t *tx) insert(q string, args ...any) (int64, error) {
	if p := t.w.prepared; p != nil {
		_, rowid, err := p.exec(q, args)
		return rowid, err
	}
	r, err := t.sql.Exec(q, args...)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// row scans the first row of a query; sql.ErrNoRows when there is none.
func (t *tx) row(q string, args []any, into ...any) error {
	return t.sql.QueryRow(q, args...).Scan(into...)
}

// rows calls scan for each row.
func (t *tx) rows(q string, args []any, scan func(rowScanner) error) error {
	return eachRow(t.sql.Query(q, args...))(scan)
}

// rowScanner is a row.
type rowScanner interface{ Scan(into ...any) error }

func eachRow(rows *sql.Rows, err error) func(func(rowScanner) error) error {
	return func(scan func(rowScanner) error) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}
