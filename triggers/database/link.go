package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/latticed/latticed/graph"
)

// link is the connection to one database that its triggers share. Who wants to use it
// waits for its turn; between turns the connection holds no lock and no transaction.
type link struct {
	pool  *pool
	key   string
	at    place
	users int // guarded by pool.mu

	isDown atomic.Bool
	queue  atomic.Int32  // who waits for a turn
	due    atomic.Int64  // when what asks a file now should have ended, in ns; 0: nobody asks one
	turn   chan struct{} // full while somebody uses what follows

	conn    conn
	dialect dialect
	redact  redactor
	fails   int       // in a row
	down    downError // while the database can't be reached
	tables  map[tableName]known

	watch    watch
	channels channels
}

// known is a table as it was a while ago.
type known struct {
	table table
	at    time.Time
}

// Limits of a link.
const (
	patience   = 30 * time.Second // of those who wait for their turn
	openLimit  = 15 * time.Second
	catalogue  = 30 * time.Second // how long a description is believed
	retryFirst = time.Second
	retryLast  = time.Minute
	// overdue is how long a database may be away before its triggers are failing.
	overdue = 5 * time.Minute
)

func newLink(p *pool, key string, at place) *link {
	l := &link{pool: p, key: key, at: at, turn: make(chan struct{}, 1), tables: map[tableName]known{}}
	l.watch.init()
	return l
}

// end closes the connection. Nobody uses the link any more.
func (l *link) end() {
	l.watch.end()
	l.channels.end()
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.disconnect()
}

// downError says that a database can't be asked now, and when to try again.
type downError struct {
	reason string
	hung   bool // a call to the file system does not return
	busy   bool // it is there, but somebody keeps it locked, or it was too slow
	since  time.Time
	retry  time.Time
}

func (e *downError) Error() string { return e.reason }

// session is a turn at a connection.
type session struct {
	*link
	stamp string // of what is read at the earliest; empty: this engine can't tell
}

// use calls f when it is its turn, connected. f reads, and does nothing that it can't do
// again: it is called once more after a connection was lost under it. The error is a
// *downError, or one whose text tells no password.
func (l *link) use(ctx context.Context, f func(ctx context.Context, s *session) error) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer func() { l.due.Store(0); <-l.turn }()
	if now := time.Now(); l.fails > 0 && now.Before(l.down.retry) {
		down := l.down
		return &down
	}
	for again := false; ; again = true {
		was := l.conn != nil
		err := l.visit(ctx, f)
		switch {
		case err == nil:
			l.recovered()
			return nil
		case ctx.Err() != nil:
			l.disconnect() // who knows what it was doing
			return context.Cause(ctx)
		}
		var invalid *graph.Invalid
		if errors.As(err, &invalid) { // the database is well; the trigger does not fit
			l.recovered()
			l.forget()
			return err
		}
		trouble := l.judge(err)
		if trouble == troubleLost {
			l.disconnect()
			if was && !again {
				continue
			}
		}
		return l.failed(err, trouble)
	}
}

// enter waits for the turn: not long where a file system keeps it.
func (l *link) enter(ctx context.Context) error {
	l.queue.Add(1)
	defer l.queue.Add(-1)
	for began := time.Now(); ; {
		select {
		case l.turn <- struct{}{}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(time.Until(began.Add(patience)), l.hangsIn())):
		}
		now := time.Now()
		switch {
		case l.hangsIn() <= 0:
			return hung(now)
		case now.Sub(began) >= patience:
			return &downError{reason: fmt.Sprintf("the database does not answer: others have waited for it for %s", patience), since: now, retry: now.Add(retryFirst)}
		}
	}
}

// visit connects when it has to and calls f.
func (l *link) visit(ctx context.Context, f func(context.Context, *session) error) error {
	if l.conn == nil {
		if err := l.connect(ctx); err != nil {
			return err
		}
	}
	l.asks(0)
	stamp, err := l.conn.stamp(ctx)
	if err != nil {
		return err
	}
	l.watch.saw(stamp)
	err = f(ctx, &session{link: l, stamp: stamp})
	if r, ok := l.conn.(rester); ok && l.queue.Load() == 0 {
		err = errors.Join(err, r.rest())
	}
	return err
}

// rester is a conn that gives something back when nobody waits for a turn.
type rester interface{ rest() error }

func (l *link) connect(ctx context.Context) error {
	l.dialect = nil
	l.asks(0) // reads the file with the URL, perhaps
	a, err := l.at.address()
	if err != nil {
		return &addressError{err}
	}
	l.redact = newRedactor(a)
	if l.dialect, err = dialectOf(a.engine); err != nil {
		return err
	}
	if err := l.pool.allowed(a); err != nil {
		return err
	}
	l.asks(0)
	limited, stop := context.WithTimeout(ctx, openLimit)
	defer stop()
	if l.conn, err = l.dialect.open(limited, a); err != nil {
		l.conn = nil
		return err
	}
	l.pool.counters.connects.Add(1)
	l.pool.counters.connections.Add(1)
	return nil
}

// addressError means that the URL of a database can't be had, or read.
type addressError struct{ err error }

func (e *addressError) Error() string { return e.err.Error() }
func (e *addressError) Unwrap() error { return e.err }

// dialectOf is the dialect of an engine.
func dialectOf(engine string) (dialect, error) {
	switch engine {
	case engineSQLite:
		return sqliteDialect{}, nil
	case enginePostgres:
		return postgresDialect{}, nil
	case engineMySQL:
		return mysqlDialect{}, nil
	case engineMSSQL:
		return mssqlDialect{}, nil
	}
	return nil, fmt.Errorf("databases of type %s can't be watched", engine)
}

func (l *link) disconnect() {
	if l.conn == nil {
		return
	}
	_ = l.conn.close() // it is of no use any more
	l.conn = nil
	l.forget()
	l.pool.counters.connections.Add(-1)
}

// forget drops what is known of the tables.
func (l *link) forget() { clear(l.tables) }

func (l *link) judge(err error) trouble {
	var a *addressError
	switch {
	case errors.As(err, &a):
		return troubleOther
	case l.dialect == nil:
		return troubleLost
	}
	return l.dialect.judge(err)
}

func (l *link) recovered() {
	if l.fails > 0 {
		l.fails = 0
		l.isDown.Store(false)
	}
}

// failed notes that the database is away, or says what is wrong with what was asked.
func (l *link) failed(err error, t trouble) error {
	shown := l.redact.err(plainly(err))
	now := time.Now()
	switch t {
	case troubleLost:
		if l.fails == 0 {
			l.down.since = now
		}
		wait := min(retryFirst<<min(l.fails, 10), retryLast)
		l.fails++
		l.isDown.Store(true)
		l.down.reason = "can't be reached: " + shown.Error()
		l.down.retry = now.Add(wait*3/4 + rand.N(wait/2))
		down := l.down
		return &down
	case troubleBusy:
		return &downError{reason: shown.Error(), busy: true, since: now, retry: now.Add(retryFirst)}
	case troubleMissing, troubleDenied, troubleOther:
		l.forget()
	}
	q := &queryError{trouble: t, err: shown}
	var at *addressError
	var absent *absentError
	var closed *closedError
	q.ofPlace, q.ofTable = errors.As(err, &at), errors.As(err, &absent) || errors.As(err, &closed)
	return q
}

// queryError is what a database has against what it was asked. Its text tells no
// password.
type queryError struct {
	trouble trouble
	ofPlace bool // its URL can't be had, or must not be used
	ofTable bool // the table is not there, or closed to us
	err     error
}

func (e *queryError) Error() string { return e.err.Error() }
func (e *queryError) Unwrap() error { return e.err }

// layout describes a table, or remembers it, and lays it out.
func (s *session) layout(ctx context.Context, name tableName, w wish) (*layout, error) {
	d, ok := s.tables[name]
	if !ok || time.Since(d.at) > catalogue {
		t, err := s.conn.describe(ctx, name)
		if err != nil {
			return nil, err
		}
		d = known{t, time.Now()}
		s.tables[name] = d
	}
	return lay(d.table, w)
}

// reading is a table as this turn reads it.
func (s *session) reading(l *layout, c *config) *reading {
	return &reading{c: timed{s.conn, s.link}, d: s.dialect, l: l, clauses: c.clauses, limit: c.timeout}
}
