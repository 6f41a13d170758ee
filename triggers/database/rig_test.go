package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// rig keeps for a source what a manager would, over as many starts as a test makes.
type rig struct {
	t      *testing.T
	kind   triggers.Kind
	stats  func() Stats
	fields map[string]any
	wake   chan struct{}

	mu     sync.Mutex
	cursor json.RawMessage
	keys   map[string]bool
	events []triggers.Event
	state  triggers.State
	reason string
	runs   int
	fits   func(graph.Env) error
	refuse func() error // asked before a batch is stored
	after  func()       // told when one was
}

func newRig(t *testing.T, fields map[string]any) *rig {
	sqlite, _, stats := New(Options{})
	return &rig{t: t, kind: sqlite, stats: stats, fields: fields, wake: make(chan struct{}, 1), keys: map[string]bool{}}
}

// on is a rig over a table of a file, with fields over the usual ones.
func on(t *testing.T, path, table string, over map[string]any) *rig {
	fields := map[string]any{"db_path": path, "table_name": table, "poll_interval": "50ms"}
	maps.Copy(fields, over)
	return newRig(t, fields)
}

func (r *rig) from() triggers.From {
	r.mu.Lock()
	defer r.mu.Unlock()
	return triggers.From{
		Cursor: r.cursor,
		Fits: func(e graph.Env) error {
			if r.fits == nil {
				return nil
			}
			return r.fits(e)
		},
		Health: func(s triggers.State, reason string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.state, r.reason = s, reason
		},
		Wake: func() {
			select {
			case r.wake <- struct{}{}:
			default:
			}
		},
	}
}

func (r *rig) emit(ctx context.Context, b triggers.Batch) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		if err := r.refuse(); err != nil {
			return err
		}
	}
	if b.Cursor != nil {
		r.cursor = b.Cursor
	}
	for _, e := range b.Events {
		if !r.keys[e.Key] {
			r.keys[e.Key] = true
			r.events = append(r.events, e)
		}
	}
	if r.after != nil {
		r.after()
	}
	return nil
}

// start runs the source until the test calls the function or ends.
func (r *rig) start() (stop func()) {
	r.t.Helper()
	made, err := triggers.Make(r.kind, r.fields)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx, made.Source)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.t.Cleanup(stop)
	return stop
}

// run is what a manager does with a source, with a shorter back-off.
func (r *rig) run(ctx context.Context, s triggers.Source) {
	defer func() { _ = s.(*source).Close() }()
	for ctx.Err() == nil {
		err := s.Run(ctx, r.from(), r.emit)
		var until *triggers.UntilError
		wait := 20 * time.Millisecond
		if errors.As(err, &until) {
			wait = time.Until(until.At)
		} else if ctx.Err() == nil {
			r.from().Health(triggers.Failing, err.Error())
		}
		r.mu.Lock()
		r.runs++
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-time.After(wait):
		}
	}
}

const patienceOfTests = time.Minute

// until waits for a condition; what is read in it is guarded.
func (r *rig) until(what string, f func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patienceOfTests); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		r.mu.Lock()
		ok := f()
		r.mu.Unlock()
		if ok {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Fatalf("not within %s: %s; it is %s (%s) with %d events: %v", patienceOfTests, what, r.state, r.reason, len(r.events), r.keysInOrder())
}

// active waits until the source works, with its beginning stored.
func (r *rig) active() {
	r.t.Helper()
	r.until("it works", func() bool { return r.state == triggers.Active && r.cursor != nil })
}

// has waits until these events, and no others, are there, in this order.
func (r *rig) has(keys ...string) {
	r.t.Helper()
	r.until(fmt.Sprint("events ", keys), func() bool { return slices.Equal(r.keysInOrder(), keys) })
}

func (r *rig) keysInOrder() []string {
	keys := []string{}
	for _, e := range r.events {
		keys = append(keys, e.Key)
	}
	return keys
}

// rests waits until what was polled is the last word.
func (r *rig) rests() {
	r.t.Helper()
	for polls := int64(-1); polls != r.stats().Polls; time.Sleep(10 * grain) {
		polls = r.stats().Polls
	}
}

// quiet says that nothing more comes, once the source has polled again.
func (r *rig) quiet(poke func()) {
	r.t.Helper()
	r.mu.Lock()
	before := len(r.events)
	r.mu.Unlock()
	r.rests()
	polls := r.stats().Polls
	poke()
	r.until("another poll", func() bool { return r.stats().Polls > polls })
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) != before {
		r.t.Errorf("events came out of nothing: %v", r.keysInOrder()[before:])
	}
}

// rows are the rows of the events.
func (r *rig) rows() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rows []map[string]any
	for _, e := range r.events {
		var p struct{ Row map[string]any }
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			r.t.Fatal(err)
		}
		rows = append(rows, p.Row)
	}
	return rows
}

// joined is the link of a place.
func joined(t *testing.T, p *pool, at place) *link {
	t.Helper()
	l, err := p.join(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lab is a file with a table of samples, which another process has open.
func lab(t *testing.T, journal string) (path string, w *writer) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lab.db")
	w = startWriter(t, path, 5)
	w.do("PRAGMA journal_mode=" + journal)
	w.do("CREATE TABLE samples (id INTEGER PRIMARY KEY, name TEXT, at TEXT)")
	return path, w
}
