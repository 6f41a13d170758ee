package database

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// stuckConn is a file whose file server is gone until release is closed.
type stuckConn struct {
	conn
	release chan struct{}
}

func (c *stuckConn) stamp(context.Context) (string, error) {
	<-c.release
	return "", errors.New("it is back")
}
func (c *stuckConn) close() error { return nil }

func TestSource_is_failing_when_its_file_system_does_not_answer_and_nobody_waits_for_ever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := place{direct: address{engine: engineSQLite, database: "/gone/lab.db"}}
		p := newPool(Options{})
		l := newLink(p, "k", at)
		stuck := &stuckConn{release: make(chan struct{})}
		l.conn, l.dialect = stuck, sqliteDialect{}
		states := map[string]triggers.State{}
		reasons := map[string]string{}
		done := make(chan struct{})
		run := func(name string) {
			s := &source{pool: p, link: l, config: config{place: at, interval: time.Second, wish: wish{mode: modeRows}}}
			_ = s.Run(t.Context(), triggers.From{Health: func(h triggers.State, why string) { states[name], reasons[name] = h, why }}, nil)
			done <- struct{}{}
		}
		go run("first")
		synctest.Wait()
		time.Sleep(patience + time.Millisecond)
		synctest.Wait()
		if states["first"] != triggers.Failing || reasons["first"] != errHung {
			t.Errorf("who hangs is %s: %s", states["first"], reasons["first"])
		}
		go run("second")
		<-done // at once, as it were
		if states["second"] != triggers.Failing || reasons["second"] != errHung {
			t.Errorf("who comes later is %s: %s", states["second"], reasons["second"])
		}
		close(stuck.release)
		<-done
	})
}
