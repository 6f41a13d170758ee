package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/glebarez/go-sqlite"
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDialect speaks to a file that other processes write.
type sqliteDialect struct{}

// sqliteBusy is how long SQLite itself waits for a lock, in milliseconds: a writer that
// commits needs less. Who holds it longer is waited for without a connection in use.
const sqliteBusy = 200

// errTooSlow means that a statement was interrupted at its limit.
var errTooSlow = errors.New("the query took longer than query_timeout; an index on the cursor columns would help")

// errStale means that what a connection has open is not what the path names any more,
// or has to be opened in another way.
var errStale = errors.New("the file is another one")

func (sqliteDialect) open(ctx context.Context, a address) (conn, error) {
	c := &sqliteConn{path: a.database}
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// fence keeps statements from opening other files, and takes the handle by which they
// are interrupted: the driver's own way may hit the statement after, or none.
func (c *sqliteConn) fence() error {
	return c.conn.Raw(func(dc any) error {
		v := reflect.Indirect(reflect.ValueOf(dc))
		tls, db := v.FieldByName("tls"), v.FieldByName("db")
		if !tls.IsValid() || tls.Type() != reflect.TypeFor[*libc.TLS]() || !db.IsValid() || db.Kind() != reflect.Uintptr {
			return errors.New("the SQLite driver is built otherwise than we know")
		}
		c.tls, c.handle = (*libc.TLS)(tls.UnsafePointer()), uintptr(db.Uint())
		sqlite3.Xsqlite3_limit(c.tls, c.handle, sqlite3.SQLITE_LIMIT_ATTACHED, 0)
		return nil
	})
}

// interruptAgain is how soon an interruption is repeated that came between two
// statements, where SQLite forgets it.
const interruptAgain = 5 * time.Millisecond

// interruptible calls f, which runs statements without a context, and interrupts them
// when ctx ends.
func (c *sqliteConn) interruptible(ctx context.Context, f func(context.Context) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	over, gone := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(gone)
		for {
			sqlite3.Xsqlite3_interrupt(c.tls, c.handle) // it sets a flag, whatever runs beside it
			select {
			case <-over:
				return
			case <-time.After(interruptAgain):
			}
		}
	})
	err := f(context.WithoutCancel(ctx))
	close(over)
	if !stop() {
		<-gone
	}
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_INTERRUPT && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// quote uses the sign that makes an identifier and nothing else: SQLite takes a name in
// double quotes that no column has for a text.
func (sqliteDialect) quote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

func (sqliteDialect) parameter(int, column) string { return "?" }

func (sqliteDialect) tuples() bool { return true }

func (sqliteDialect) page(query string, n int) string { return query + " LIMIT " + strconv.Itoa(n) }

func (sqliteDialect) judge(err error) trouble {
	var e *sqlite.Error
	var absent *absentError
	switch {
	case errors.Is(err, errTooSlow), errors.Is(err, errChanging), errors.Is(err, errOrphaned):
		return troubleBusy
	case errors.As(err, &absent):
		return troubleMissing
	case isFileTrouble(err), errors.Is(err, errStale), errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return troubleLost
	case !errors.As(err, &e):
		return troubleOther
	}
	switch code := e.Code(); code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return troubleBusy
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return troubleLost
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return troubleDenied
	}
	if text := e.Error(); strings.Contains(text, "no such table") || strings.Contains(text, "no such column") {
		return troubleMissing
	}
	return troubleOther
}

// sqliteConn is one connection to a file.
//
// A file in WAL mode is open during turns only: who has one open keeps the last writer
// from taking what is in the log into the file, and its users copy the file alone. Any
// other file stays open, which nobody notices, so that its data_version can be asked.
type sqliteConn struct {
	path string

	db    *sql.DB // nil between turns, in WAL mode
	conn  *sql.Conn
	file  file // as it was opened; of one that stays open, as it was seen last
	since time.Time
	wal   bool
	alone bool // nobody writes: read without locks, see inWAL

	version int64 // data_version, as it was with file; 0: not asked yet

	tls    *libc.TLS // of conn
	handle uintptr
}

var _ conn = (*sqliteConn)(nil)

// connect opens the file as it is now.
func (c *sqliteConn) connect(ctx context.Context) error {
	f, err := lookAtRest(ctx, c.path)
	if err != nil {
		return err
	}
	if c.wal, err = f.inWAL(); err != nil {
		return err
	}
	c.since, c.version = time.Now(), 0
	if c.file, c.alone = f, c.wal && f.log.size == 0; c.wal && !c.alone {
		if err := f.orphaned(); err != nil {
			return err
		}
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(" + strconv.Itoa(sqliteBusy) + ")", "temp_store(MEMORY)", "cache_size(-2000)"}}
	if c.alone {
		q.Set("immutable", "1")
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: c.path, RawQuery: q.Encode()}
	if c.db, err = sql.Open("sqlite", name.String()); err != nil {
		return err
	}
	if c.conn, err = c.db.Conn(context.WithoutCancel(ctx)); err == nil {
		err = c.fence()
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

// ready connects again after a rest.
func (c *sqliteConn) ready(ctx context.Context) error {
	if c.db != nil {
		return nil
	}
	return c.connect(ctx)
}

// rest is called at the end of a turn that nobody follows.
func (c *sqliteConn) rest() error {
	if c.wal {
		return c.close()
	}
	return nil
}

func (c *sqliteConn) close() error {
	var err error
	if c.conn != nil {
		err = c.conn.Close()
	}
	if c.db != nil {
		err = errors.Join(err, c.db.Close())
	}
	c.conn, c.db = nil, nil
	return err
}

// stamp is which file that is, and what changes with every commit: the times and sizes
// of the file and its log, and of a file that is kept open its data_version.
func (c *sqliteConn) stamp(ctx context.Context) (string, error) {
	now, err := lookAt(c.path)
	switch {
	case err != nil:
		return "", err
	case now.id != c.file.id, !c.wal && now.log.there && !c.file.log.there:
		return "", errStale
	case c.wal:
		if c.alone && now != c.file {
			err = c.close() // what it has in memory may be old
		}
		return now.stamp(time.Now()), err
	}
	var version int64
	if err := c.conn.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA data_version").Scan(&version); err != nil {
		return "", err
	}
	if changed := now.size != c.file.size || now.mtime != c.file.mtime; changed && version == c.version {
		return "", errStale // written by no SQLite: somebody has copied another file over it
	}
	c.file, c.version = now, version
	return fmt.Sprint(now.id, now.size, now.mtime, version), nil
}

// batchTable holds what was copied while the lock was held.
const batchTable = "temp.latticed_batch"

// read copies the rows in one statement, which can be interrupted at any time, as a
// SELECT can't through this driver; then no lock is held any more. The sign + keeps the
// values as they are stored, whatever the type of their column says.
func (c *sqliteConn) read(ctx context.Context, query string, args []any, limit time.Duration, f func([]any) error) error {
	limited, stop := context.WithTimeoutCause(ctx, limit, errTooSlow)
	defer stop()
	for again := 0; ; again++ {
		err := c.readOnce(limited, query, args, f)
		if !errors.Is(err, errChanging) || again == changingTries {
			return err
		}
		select { // somebody writes: as soon as that is seen, they are read with locks
		case <-limited.Done():
			return context.Cause(limited)
		case <-time.After(grain):
		}
		if err := c.close(); err != nil {
			return err
		}
	}
}

// changingTries is how often a read is tried again that somebody may have disturbed.
const changingTries = 5

func (c *sqliteConn) readOnce(ctx context.Context, query string, args []any, f func([]any) error) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	err := c.interruptible(ctx, func(ctx context.Context) error {
		_, err := c.conn.ExecContext(ctx, "CREATE TEMP TABLE "+batchTable[len("temp."):]+" AS "+query, args...)
		return err
	})
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	err = c.copied(ctx, f)
	_, dropped := c.conn.ExecContext(ctx, "DROP TABLE "+batchTable)
	return errors.Join(err, dropped)
}

// copied hands over what was copied.
func (c *sqliteConn) copied(ctx context.Context, f func([]any) error) error {
	if c.alone { // no lock has kept others away: did nobody come?
		if now, err := lookAt(c.path); err != nil || now != c.file || c.file.young(c.since) {
			return errors.Join(errChanging, err)
		}
	}
	rows, err := c.conn.QueryContext(ctx, "SELECT * FROM "+batchTable+" ORDER BY rowid")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := f(values); err != nil {
			return err
		}
	}
	return rows.Err()
}
