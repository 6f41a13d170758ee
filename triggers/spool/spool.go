package spool

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/triggers"

	_ "github.com/glebarez/go-sqlite" // the driver "sqlite"
)

// ErrFull means that as much waits as may.
var ErrFull = errors.New("the spool is full: what waits in it has to be delivered first")

// Options of a Spool.
type Options struct {
	// Owner says whose events these are; a spool keeps those of one owner.
	Owner string
	// Limit is how many bytes of events may wait, default 256 MiB; the batch that goes
	// beyond it is still taken.
	Limit int64
	// Judge is triggers.Made.Judge: what it holds waits for being amended, what it
	// skips is not kept. nil: nothing.
	Judge func(fields map[string]any, stored time.Time) triggers.Judgement
	Log   zerolog.Logger
}

// Spool is a folder with what a source knows and has told. Close it.
type Spool struct {
	o    Options
	db   *sql.DB // one connection
	lock *os.File

	added chan struct{} // one slot: events may be waiting
	freed chan struct{} // one slot: there may be room

	mu     sync.Mutex
	bytes  int64 // of what waits and is held
	health Health
}

const (
	defaultLimit = 256 << 20
	version      = 1      // of the schema
	remembered   = 100000 // keys of events that were delivered
)

const schema = `
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entities (key BLOB NOT NULL PRIMARY KEY, version TEXT NOT NULL, data TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE events (
	n       INTEGER PRIMARY KEY AUTOINCREMENT,
	key     TEXT NOT NULL UNIQUE,
	kind    TEXT NOT NULL,
	at      INTEGER NOT NULL, -- µs
	payload TEXT,             -- NULL: it was delivered
	state   TEXT NOT NULL CHECK (state = 'waiting' OR state = 'held' OR state = 'refused' OR state = 'done'),
	reason  TEXT NOT NULL
) STRICT;
CREATE INDEX events_state ON events (state, n);
PRAGMA user_version = 1;`

// Open opens the spool in a folder, which it makes if there is none. *LockedError:
// another process has it; *OwnerError: it keeps the events of somebody else.
func Open(ctx context.Context, dir string, o Options) (_ *Spool, err error) {
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	s := &Spool{o: o, added: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if s.lock, err = take(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.db, err = open(file(dir), "rwc", "synchronous(FULL)", "journal_mode(TRUNCATE)"); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("open the spool %s: %w", dir, err)
	}
	return s, nil
}

func file(dir string) string { return filepath.Join(dir, "spool.db") }

// open names one connection. The journal is an old-fashioned one: home directories are
// often on a file server, where a write-ahead log doesn't work.
func open(path, mode string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)"}}
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// prepare makes the tables of a new spool and looks at those of an old one.
func (s *Spool) prepare(ctx context.Context) error {
	var v int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return err
	}
	if v > version {
		return fmt.Errorf("it was written by a newer latticed (schema %d, this one knows %d)", v, version)
	}
	if v == 0 {
		if err := s.tx(ctx, func(t *sql.Tx) error { _, err := t.ExecContext(ctx, schema); return err }); err != nil {
			return err
		}
	}
	owner, err := s.meta(ctx, "owner")
	switch {
	case err != nil:
		return err
	case owner == "":
		if err := s.set(ctx, "owner", s.o.Owner); err != nil {
			return err
		}
	case owner != s.o.Owner:
		return &OwnerError{Owner: owner, Wanted: s.o.Owner}
	}
	if text, err := s.meta(ctx, "health"); err == nil && text != "" {
		_ = json.Unmarshal([]byte(text), &s.health) // it only says how it was
	}
	// What was refused gets another chance with each start.
	if _, err := s.db.ExecContext(ctx, "UPDATE events SET state = 'waiting', reason = '' WHERE state = 'refused'"); err != nil {
		return err
	}
	return s.db.QueryRowContext(ctx, "SELECT coalesce(sum(length(payload) + length(key)), 0) FROM events WHERE payload IS NOT NULL").Scan(&s.bytes)
}

// Close lets go of the spool.
func (s *Spool) Close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// tx runs do in a transaction, which is durable once it returns nil.
func (s *Spool) tx(ctx context.Context, do func(*sql.Tx) error) error {
	t, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(t); err != nil {
		_ = t.Rollback() // SQLite may have done it itself
		return err
	}
	if err := t.Commit(); err != nil {
		// database/sql takes it for over; SQLite may not, and there is no other connection.
		_, _ = s.db.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	return nil
}

func (s *Spool) meta(ctx context.Context, key string) (string, error) {
	var v string
	err := s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, err
}

func (s *Spool) set(ctx context.Context, key, value string) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", key, value)
	return err
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // told already
	}
}
