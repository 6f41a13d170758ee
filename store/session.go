package store

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
)

// session is a connection that is ours for long, with its statements kept compiled.
type session struct {
	conn     *sql.Conn
	prepared *prepared // nil: every statement goes through the driver
}

// querier reads.
type querier interface {
	// row scans the first row of a query; sql.ErrNoRows when there is none.
	row(q string, args []any, into ...any) error
	// rows calls scan for each row.
	rows(q string, args []any, scan func(rowScanner) error) error
}

// rowScanner is a row.
type rowScanner interface{ Scan(into ...any) error }

func newSession(ctx context.Context, pool *sql.DB) (*session, error) {
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn: c}
	if s.prepared, err = borrow(c); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() error {
	if s.prepared != nil {
		s.prepared.close()
	}
	return s.conn.Close()
}

// exec runs a statement and returns how many rows it changed, and the rowid of the last
// INSERT. No context: the driver would start a goroutine per statement to watch it.
func (s *session) exec(q string, args ...any) (changed, rowid int64, err error) {
	if s.prepared != nil {
		return s.prepared.exec(q, args)
	}
	r, err := s.conn.ExecContext(context.Background(), q, args...)
	if err != nil {
		return 0, 0, err
	}
	if changed, err = r.RowsAffected(); err == nil {
		rowid, err = r.LastInsertId()
	}
	return changed, rowid, err
}

func (s *session) row(q string, args []any, into ...any) error {
	if s.prepared == nil {
		return s.conn.QueryRowContext(context.Background(), q, args...).Scan(orZeros(into)...)
	}
	found := false
	err := s.prepared.query(q, args, func(r rowScanner) error {
		if found {
			return nil
		}
		found = true
		return r.Scan(into...)
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

func (s *session) rows(q string, args []any, scan func(rowScanner) error) error {
	if s.prepared != nil {
		return s.prepared.query(q, args, scan)
	}
	rows, err := s.conn.QueryContext(context.Background(), q, args...)
	return each(rows, err, scan)
}

// each calls scan for each row of what the driver found.
func each(rows *sql.Rows, err error, scan func(rowScanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(driverRow{rows}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// driverRow is a row that came through the driver.
type driverRow struct{ *sql.Rows }

// Scan copies the columns; a NULL is a zero value.
func (r driverRow) Scan(into ...any) error { return r.Rows.Scan(orZeros(into)...) }

func orZeros(into []any) []any {
	out := make([]any, len(into))
	for i, v := range into {
		if out[i] = v; reflect.TypeOf(v).Implements(reflect.TypeFor[sql.Scanner]()) {
			continue // it knows NULL
		}
		out[i] = &orZero{reflect.ValueOf(v).Elem()}
	}
	return out
}

// orZero takes a column into what it points at.
type orZero struct{ into reflect.Value }

// Scan implements sql.Scanner.
func (o *orZero) Scan(v any) error {
	o.into.SetZero()
	to := o.into
	if v != nil && to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		to = to.Elem()
	}
	switch v := v.(type) {
	case nil:
		return nil
	case int64:
		switch to.Kind() {
		case reflect.Int64, reflect.Int:
			to.SetInt(v)
			return nil
		case reflect.Bool:
			to.SetBool(v != 0)
			return nil
		}
	case string:
		return o.Scan([]byte(v))
	case []byte:
		switch to.Kind() {
		case reflect.String:
			to.SetString(string(v))
			return nil
		case reflect.Slice:
			to.SetBytes(append([]byte{}, v...))
			return nil
		}
	}
	return fmt.Errorf("a %T has no way into a %s", v, to.Type())
}
