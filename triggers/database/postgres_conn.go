package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgresConn is one connection. No goroutine of it outlives close.
type postgresConn struct {
	pg     *pgconn.PgConn
	dialer *dialer
	user   string
	// arrays are the array types that columns were described with, and the types of
	// their elements: those of a database's own types can't be known otherwise.
	arrays map[int64]int64
}

// stamp can't tell: that a clause of the user's finds nothing may change with the time.
func (c *postgresConn) stamp(context.Context) (string, error) { return "", nil }

// close ends the connection. A server that does not answer isn't waited for.
func (c *postgresConn) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := c.pg.Close(ctx)
	_ = c.dialer.close()
	select {
	case <-c.pg.CleanupDone(): // at once, since nothing is open any more
	case <-time.After(farewell):
	}
	return err
}

// postgresBegin begins a transaction that reads, with values written as we read them. All
// is set for the transaction: behind a pooler the next one may have another session.
const postgresBegin = `BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = %d; ` +
	`SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'iso_8601'; ` +
	`SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 3`

// read runs a query in a transaction of its own, so that every poll sees what is
// committed by then. The server enforces the limit; the context is the second fence, and
// when it ends the server is asked to end the statement, too.
func (c *postgresConn) read(ctx context.Context, query string, args []any, limit time.Duration, f func([]any) error) error {
	inner, cancel := within(ctx, limit)
	defer cancel()
	err := c.say(inner, fmt.Sprintf(postgresBegin, max(1, limit.Milliseconds())))
	if err == nil {
		err = c.rows(inner, query, args, f)
	}
	return c.ended(ctx, inner, err)
}

// ended ends the transaction, and says what an error of it means.
func (c *postgresConn) ended(ctx, inner context.Context, err error) error {
	if !c.pg.IsClosed() && c.pg.TxStatus() != 'I' {
		after, cancel := afterwards(ctx)
		defer cancel()
		if rollback := c.say(after, "ROLLBACK"); rollback != nil {
			err = &lostError{errors.Join(err, rollback)}
		}
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case inner.Err() != nil:
		err = &lostError{errSilent}
	}
	if c.pg.IsClosed() {
		return &lostError{err}
	}
	return err
}

// say runs statements that return nothing.
func (c *postgresConn) say(ctx context.Context, sql string) error {
	_, err := c.pg.Exec(ctx, sql).ReadAll()
	return err
}

func (c *postgresConn) rows(ctx context.Context, query string, args []any, f func([]any) error) error {
	texts := make([][]byte, len(args))
	for i, arg := range args {
		text, err := postgresText(arg)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		texts[i] = text
	}
	r := c.pg.ExecParams(ctx, query, texts, nil, nil, nil)
	var failed error
	for failed == nil && r.NextRow() {
		fields, raw := r.FieldDescriptions(), r.Values()
		values := make([]any, len(raw))
		for i, text := range raw {
			if text != nil {
				values[i] = c.value(fields[i].DataTypeOID, string(text))
			}
		}
		failed = f(values)
	}
	_, err := r.Close() // reads what is left
	return errors.Join(failed, err)
}

// value reads the text of a value, which may be an array of what only describe has seen.
func (c *postgresConn) value(oid uint32, text string) any {
	if element, ok := c.arrays[int64(oid)]; ok {
		if doc, ok := arrayDocument(uint32(element), text); ok { //nolint:gosec // an OID has 32 bits
			return doc
		}
	}
	return postgresValue(oid, text)
}
