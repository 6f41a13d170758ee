package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// crowd runs many sources as a manager does: each in a goroutine of its own only while
// it has something to do.
type crowd struct {
	t      *testing.T
	ctx    context.Context
	work   sync.WaitGroup
	events atomic.Int64
	runs   atomic.Int64
	all    []*member
}

type member struct {
	crowd  *crowd
	source *source

	mu      sync.Mutex
	cursor  []byte
	running bool
	again   bool
	timer   *time.Timer
}

func (m *member) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.crowd.ctx.Err() != nil {
		return
	}
	if m.running {
		m.again = true
		return
	}
	m.running, m.again = true, false
	m.crowd.work.Go(m.run)
}

func (m *member) run() {
	m.crowd.runs.Add(1)
	err := m.source.Run(m.crowd.ctx, triggers.From{Cursor: m.cursor, Health: func(triggers.State, string) {}, Wake: m.wake},
		func(_ context.Context, b triggers.Batch) error {
			m.cursor = b.Cursor
			m.crowd.events.Add(int64(len(b.Events)))
			return nil
		})
	wait := time.Second
	var until *triggers.UntilError
	if errors.As(err, &until) {
		wait = time.Until(until.At)
	}
	m.mu.Lock()
	m.running = false
	if !m.again && m.crowd.ctx.Err() == nil {
		if m.timer == nil {
			m.timer = time.AfterFunc(wait, m.wake)
		} else {
			m.timer.Reset(wait)
		}
	}
	again := m.again
	m.mu.Unlock()
	if again {
		m.wake()
	}
}

func (c *crowd) end() {
	c.work.Wait()
	for _, m := range c.all {
		m.mu.Lock()
		if m.timer != nil {
			m.timer.Stop()
		}
		m.mu.Unlock()
		if err := m.source.Close(); err != nil {
			c.t.Error(err)
		}
	}
}

// manyOn is n triggers on each of the files.
func manyOn(t *testing.T, paths []string, n int) (*crowd, func() Stats, func()) {
	kind, _, stats := New(Options{})
	ctx, cancel := context.WithCancel(context.Background())
	c := &crowd{t: t, ctx: ctx}
	for i := range n * len(paths) {
		made, err := triggers.Make(kind, map[string]any{
			"db_path": paths[i%len(paths)], "table_name": "samples", "cursor": "at", "where_clauses": fmt.Sprintf("id %% 7 = %d", i%7),
		})
		if err != nil {
			t.Fatal(err)
		}
		m := &member{crowd: c, source: made.Source.(*source)}
		c.all = append(c.all, m)
		m.wake()
	}
	return c, stats, sync.OnceFunc(func() {
		cancel()
		c.end()
	})
}

func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMany_triggers_share_a_connection_and_cost_little_while_nothing_happens(t *testing.T) {
	var paths []string
	var writers []*writer
	for _, journal := range []string{"wal", "delete", "delete"} {
		path, w := lab(t, journal)
		w.do("CREATE INDEX by_at ON samples (at, id)")
		w.do("INSERT INTO samples VALUES (1, 'old', '2026')")
		paths, writers = append(paths, path), append(writers, w)
	}
	const each = 334
	before, goroutines := heap(), runtime.NumGoroutine()
	c, stats, end := manyOn(t, paths, each)
	defer end()
	n := len(c.all)
	for stats().Polls < int64(n) { // under the race detector SQLite is slow
		<-time.After(10 * time.Millisecond)
	}
	old := time.Now().Add(-time.Hour)
	for _, beside := range []string{"", "-wal"} { // young changes are looked at again
		if err := os.Chtimes(paths[0]+beside, old, old); err != nil {
			t.Fatal(err)
		}
	}
	for still := int64(-1); still != stats().Polls; time.Sleep(2 * time.Second) {
		still = stats().Polls // all look once more
	}
	runs, polls, used := c.runs.Load(), stats().Polls, cpu(t)
	time.Sleep(2 * time.Second)
	idle := float64(cpu(t)-used) / float64(2*time.Second)
	perTrigger := (int64(heap()) - int64(before)) / int64(n)
	t.Logf("%d triggers: %.2f %% of a processor while nothing happens, %d bytes of heap each, %d runs, %d goroutines", n, 100*idle, perTrigger, c.runs.Load()-runs, runtime.NumGoroutine()-goroutines)
	if got := stats().Polls - polls; got != 0 {
		t.Errorf("%d polls while nothing happened", got)
	}
	if perTrigger > 10_000 {
		t.Errorf("%d bytes of heap each", perTrigger)
	}
	if got := runtime.NumGoroutine() - goroutines; got > 3*3 {
		t.Errorf("%d goroutines while nothing happens", got)
	}
	if s := stats(); s.Databases != len(paths) || s.Connections != len(paths) || s.Down != 0 {
		t.Errorf("%+v, want a connection for each of %d databases", s, len(paths))
	}
	for _, w := range writers {
		for id := range 14 {
			w.do("INSERT INTO samples VALUES (?, 'new', ?)", 100+id, fmt.Sprint(3000+id))
		}
	}
	for c.events.Load() < int64(2*n) {
		<-time.After(10 * time.Millisecond)
	}
	if got := c.events.Load(); got != int64(2*n) {
		t.Errorf("%d events, want two for each of %d triggers", got, n)
	}
	end()
	if s := stats(); s.Databases != 0 || s.Connections != 0 {
		t.Errorf("afterwards: %+v", s)
	}
}

func TestSlots_are_spread_over_the_interval(t *testing.T) {
	now := time.Unix(1_800_000_000, 123)
	var tenths [10]int
	for seat := range uint64(1000) {
		at := slot(seat, time.Second, now)
		if at.Before(now) || at.After(now.Add(time.Second)) {
			t.Fatalf("seat %d polls at %s, more than an interval from %s", seat, at, now)
		}
		tenths[at.Sub(now)*10/(time.Second+1)]++
	}
	for i, n := range tenths {
		if n < 80 || n > 120 {
			t.Errorf("%d of 1000 in tenth %d of the interval: %v", n, i, strings.Trim(fmt.Sprint(tenths), "[]"))
		}
	}
}
