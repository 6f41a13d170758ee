package database

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/latticed/latticed/triggers"
)

// errHung says that a call to the file system does not return.
const errHung = "the file has not answered for 30s; is it on a file server that is gone?"

func hung(now time.Time) *downError {
	return &downError{reason: errHung, hung: true, since: now, retry: now.Add(patience)}
}

// asks notes that who has the turn asks a file now, and how long that may take: what has a
// limit ends by itself, unless it waits for a file system. Servers have limits of their own.
func (l *link) asks(limit time.Duration) {
	if _, sqlite := l.dialect.(sqliteDialect); sqlite || l.dialect == nil && l.at.mayBeFile() {
		l.due.Store(time.Now().Add(max(patience, limit+silence)).UnixNano())
	} else {
		l.due.Store(0)
	}
}

// hangsIn is how long until a file system has kept the turn for too long: it has, where
// nothing is left.
func (l *link) hangsIn() time.Duration {
	if due := l.due.Load(); due != 0 {
		return time.Until(time.Unix(0, due))
	}
	return patience
}

// timed is the conn of a turn. Its reads may take as long as they say.
type timed struct {
	conn
	link *link
}

func (c timed) read(ctx context.Context, query string, args []any, limit time.Duration, f func([]any) error) error {
	c.link.asks(limit)
	return c.conn.read(ctx, query, args, limit, f)
}

// toldWhenHung tells people when the file system keeps the turn that a run has. Nothing is
// told once stop has returned.
func (l *link) toldWhenHung(from triggers.From) (stop func()) {
	var mu sync.Mutex
	var alarm *time.Timer
	mu.Lock()
	defer mu.Unlock()
	alarm = time.AfterFunc(l.hangsIn(), func() {
		mu.Lock()
		defer mu.Unlock()
		switch in := l.hangsIn(); {
		case alarm == nil:
		case in <= 0:
			from.Health(triggers.Failing, errHung)
		default:
			alarm.Reset(in)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		alarm.Stop()
		alarm = nil
	}
}

// keys are the names of links that file systems are asked for, by what is asked.
type keys struct {
	mu     sync.Mutex
	asking map[string]*asked
}

type asked struct {
	done chan struct{} // closed when key is known
	key  string
}

// of is at.shared(). Each file is asked for once at a time, since a file system that is
// gone keeps a thread for each call until it is back.
func (k *keys) of(ctx context.Context, at place) (string, error) {
	if at.direct.engine != engineSQLite {
		return at.shared(), nil
	}
	k.mu.Lock()
	name := filepath.Clean(at.direct.database)
	a := k.asking[name]
	if a == nil {
		a = &asked{done: make(chan struct{})}
		if k.asking == nil {
			k.asking = map[string]*asked{}
		}
		k.asking[name] = a
		go func() {
			a.key = at.shared()
			k.mu.Lock()
			delete(k.asking, name)
			k.mu.Unlock()
			close(a.done)
		}()
	}
	k.mu.Unlock()
	select {
	case <-a.done:
		return a.key, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-time.After(patience):
		return "", hung(time.Now())
	}
}
