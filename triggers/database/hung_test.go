package database

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// stuckConn is a file whose file server is gone until release is closed, or which is only
// large: then a read takes as long as it may.
type stuckConn struct {
	release chan struct{}
	slow    bool
}

func (c *stuckConn) stamp(context.Context) (string, error) {
	if !c.slow {
		<-c.release
		return "", errors.New("it is back")
	}
	return "", nil
}

func (c *stuckConn) describe(context.Context, tableName) (table, error) {
	return table{name: "runs", columns: []column{{name: "id", class: classInteger, notNull: true}}, key: []string{"id"}}, nil
}

func (c *stuckConn) read(_ context.Context, _ string, _ []any, limit time.Duration, _ func([]any) error) error {
	time.Sleep(limit)
	return nil
}
func (c *stuckConn) close() error { return nil }

// waits is a source of a file in simulated time, and what people are told of it.
type waits struct {
	*source
	mu     sync.Mutex
	state  triggers.State
	reason string
	done   chan error
}

var goneFile = place{direct: address{engine: engineSQLite, database: "/gone/lab.db"}}

func waiting(l *link, limit time.Duration) *waits {
	return &waits{source: &source{pool: l.pool, link: l, config: config{
		place: goneFile, interval: time.Second, timeout: limit, wish: wish{mode: modeRows}, start: "now", table: tableName{name: "runs"},
	}}, done: make(chan error, 1)}
}

func (w *waits) run(ctx context.Context) {
	health := func(h triggers.State, why string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.state, w.reason = h, why
	}
	w.done <- w.Run(ctx, triggers.From{Health: health, Wake: func() {}},
		func(context.Context, triggers.Batch) error { return nil })
}

// told says what people have to be told by now.
func (w *waits) told(t *testing.T, state triggers.State, reason string) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != state || w.reason != reason {
		t.Errorf("it is %s: %s", w.state, w.reason)
	}
}

func TestSource_is_failing_when_its_file_system_does_not_answer_and_nobody_waits_for_ever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(newPool(Options{}), "k", goneFile)
		stuck := &stuckConn{release: make(chan struct{})}
		l.conn, l.dialect = stuck, sqliteDialect{}
		l.turn <- struct{}{} // somebody has it for a while before
		first, second := waiting(l, time.Second), waiting(l, time.Second)
		go first.run(t.Context())
		time.Sleep(20 * time.Second)
		<-l.turn
		time.Sleep(patience - time.Millisecond)
		first.told(t, "", "")
		time.Sleep(2 * time.Millisecond)
		first.told(t, triggers.Failing, errHung)
		second.run(t.Context()) // at once, as it were
		second.told(t, triggers.Failing, errHung)
		close(stuck.release)
		<-first.done
	})
}

func TestSource_whose_query_may_take_long_is_not_taken_for_one_that_hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(newPool(Options{}), "k", goneFile)
		l.conn, l.dialect = &stuckConn{slow: true}, sqliteDialect{}
		first, second := waiting(l, 10*time.Minute), waiting(l, 10*time.Minute)
		go first.run(t.Context())
		time.Sleep(9 * time.Minute)
		first.told(t, "", "")
		second.run(t.Context())
		if !strings.Contains(second.reason, "others have waited for it for 30s") || second.state != triggers.Degraded {
			t.Errorf("who waits is %s: %s", second.state, second.reason)
		}
		<-first.done
		first.told(t, triggers.Active, "")
	})
}

func TestSource_is_failing_when_its_file_server_was_gone_from_the_beginning_and_one_call_hangs_for_all(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(Options{})
		p.keys.asking = map[string]*asked{goneFile.direct.database: {done: make(chan struct{})}} // by somebody before
		w := waiting(newLink(p, "k", goneFile), time.Second)
		w.link = nil
		w.run(t.Context())
		w.told(t, triggers.Failing, errHung)
		ctx, cancel := context.WithCancel(t.Context())
		go w.run(ctx)
		synctest.Wait()
		cancel()
		for range 2 {
			<-w.done
		}
		if err := w.Check(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("who asks is told %v", err)
		}
	})
}

func TestURL_file_that_is_a_pipe_is_refused_and_waited_for_by_nobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := urlFromFile(path); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Error(err)
	}
}
