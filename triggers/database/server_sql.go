package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// sqlConn is a connection by a driver of database/sql: one, which is never replaced
// behind our back.
type sqlConn struct {
	db     *sql.DB
	one    *sql.Conn
	dialer *dialer
}

// use takes the one connection of a handle.
func (c *sqlConn) use(ctx context.Context, db *sql.DB) (err error) {
	c.db = db
	db.SetMaxOpenConns(1)
	c.one, err = db.Conn(ctx)
	return err
}

// stamp can't tell: that a clause of the user's finds nothing may change with the time.
func (c *sqlConn) stamp(context.Context) (string, error) { return "", nil }

// close ends the connection. The network is closed below the driver, so that a server
// that does not answer isn't waited for.
func (c *sqlConn) close() error {
	var errs []error
	if c.one != nil {
		if err := c.one.Close(); !errors.Is(err, sql.ErrConnDone) {
			errs = append(errs, err)
		}
	}
	if c.db != nil {
		errs = append(errs, c.db.Close())
	}
	return errors.Join(append(errs, c.dialer.close())...)
}

// rolledBack ends the transaction. A connection on which that fails is lost.
func (c *sqlConn) rolledBack(ctx context.Context, err error) error {
	after, cancel := afterwards(ctx)
	defer cancel()
	if _, rollback := c.one.ExecContext(after, "ROLLBACK"); rollback != nil {
		return &lostError{errors.Join(err, rollback)}
	}
	return err
}

// valued makes ours of a driver's value, by the name of its type.
type valued func(typ string, v any) any

// rows reads what a query finds. It is prepared, so that values come with their types.
func (c *sqlConn) rows(ctx context.Context, query string, args []any, value valued, f func([]any) error) (err error) {
	s, err := c.one.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	raw, at := make([]any, len(types)), make([]any, len(types))
	for i := range raw {
		at[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(at...); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
		values := make([]any, len(raw))
		for i, v := range raw {
			if v != nil {
				values[i] = value(types[i].DatabaseTypeName(), v)
			}
		}
		if err := f(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// textual are arguments with values of our own types as text: instants, in UTC, and wall
// times in the layouts of an engine.
func textual(args []any, instant, moment string) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case time.Time:
			out[i] = v.UTC().Format(instant)
		case wall:
			out[i] = v.Format(moment)
		case decimal:
			out[i] = string(v)
		case document:
			out[i] = string(v)
		default:
			out[i] = arg
		}
	}
	return out
}
