package triggertest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Suite is what a kind tells about itself to be tested: there is one test for each
// sentence of the contract of triggers.Source.
type Suite struct {
	Kind triggers.Kind

	// Fields makes a fresh thing to watch and returns the fields of a trigger on it.
	Fields func(t *testing.T) map[string]any
	// Happen makes something happen to it that is at least one event of its own; n
	// differs from call to call.
	Happen func(t *testing.T, fields map[string]any, n int)
	// Simulated runs the source with simulated time.
	Simulated bool
}

// patience is how long a real source may take.
const patience = 30 * time.Second

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	tests := []struct {
		name string
		test func(*run)
	}{
		{"with_no_cursor_it_emits_its_baseline_even_when_it_holds_nothing", testBaseline},
		{"it_says_that_it_works_once_it_has_caught_up", testHealth},
		{"it_returns_the_cause_when_it_is_told_to_stop_and_emits_no_more", testStop},
		{"it_reports_what_happens_each_once", testOnce},
		{"run_again_it_goes_on_where_it_left_off", testResume},
		{"it_reports_what_happened_while_it_did_not_run", testDowntime},
		{"it_returns_the_error_of_emit_and_reports_again_what_was_not_saved", testRefused},
		{"it_keeps_no_goroutine_while_it_waits", testWaits},
		{"its_payloads_have_declared_fields_only", testPayload},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s.Simulated {
				synctest.Test(t, func(t *testing.T) { tt.test(s.begin(t)) })
			} else {
				tt.test(s.begin(t))
			}
		})
	}
}

// run is a source with the state that a manager would keep for it.
type run struct {
	*testing.T
	suite  Suite
	fields map[string]any
	made   triggers.Made
	n      int

	mu       sync.Mutex
	cursor   json.RawMessage
	entities map[string]triggers.Change
	events   []triggers.Event
	keys     map[string]bool
	batches  int
	refuse   error // what emit answers to batches with events
	stopped  bool  // Run has returned
	late     bool  // emit was called after that
	health   []triggers.State
	wake     chan struct{} // one slot: the source asked to be run
	waits    bool          // it has returned Until and was not run again
}

func (s Suite) begin(t *testing.T) *run {
	r := &run{T: t, suite: s, fields: s.Fields(t), entities: map[string]triggers.Change{}, keys: map[string]bool{}, wake: make(chan struct{}, 1)}
	return r
}

func (r *run) emit(ctx context.Context, b triggers.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = r.late || r.stopped
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.refuse != nil && len(b.Events) > 0 {
		return r.refuse
	}
	r.batches++
	if b.Cursor != nil {
		r.cursor = b.Cursor
	}
	for _, c := range b.Entities {
		if c.Deleted {
			delete(r.entities, string(c.Key))
		} else {
			r.entities[string(c.Key)] = c
		}
	}
	for _, e := range b.Events {
		if !r.keys[e.Key] {
			r.keys[e.Key] = true
			r.events = append(r.events, e)
			continue
		}
		i := slices.IndexFunc(r.events, func(o triggers.Event) bool { return o.Key == e.Key })
		if e.Amends {
			r.events[i].Payload = e.Payload
		}
	}
	return nil
}

func (r *run) report(s triggers.State, _ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health = append(r.health, s)
}

// start runs the source until the function it returns is called, which gives its error.
func (r *run) start() (stop func(cause error) error) {
	r.Helper()
	made, err := triggers.Make(r.suite.Kind, r.fields)
	if err != nil {
		r.Fatal(err)
	}
	r.mu.Lock()
	r.made, r.stopped, r.health = made, false, nil
	r.mu.Unlock()
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() {
		err := r.runs(ctx, made.Source)
		r.mu.Lock()
		r.stopped = true
		r.mu.Unlock()
		done <- err
	}()
	return func(cause error) error {
		r.Helper()
		cancel(cause)
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			r.Fatal("Run does not return")
			return nil
		}
	}
}

// runs runs the source, again and again when it asks for that.
func (r *run) runs(ctx context.Context, source triggers.Source) error {
	if c, ok := source.(io.Closer); ok {
		defer func() {
			if err := c.Close(); err != nil {
				r.Errorf("Close: %v", err)
			}
		}()
	}
	for {
		r.setWaits(false)
		err := source.Run(ctx, r.from(), r.emit)
		var until *triggers.UntilError
		if !errors.As(err, &until) {
			return err
		}
		r.setWaits(true)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.wake:
		case <-time.After(time.Until(until.At)):
		}
	}
}

func (r *run) setWaits(waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = waits
}

// ring is From.Wake.
func (r *run) ring() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
}

// from is what a manager would hand to the source now.
func (r *run) from() triggers.From {
	r.mu.Lock()
	defer r.mu.Unlock()
	entities := slices.SortedFunc(maps.Values(r.entities), func(a, b triggers.Change) int { return slices.Compare(a.Key, b.Key) })
	stored := maps.Clone(r.entities)
	return triggers.From{
		Cursor: r.cursor, Health: r.report, Wake: r.ring,
		Entities: func(_ context.Context, f func(triggers.Change) error) error {
			for _, c := range entities {
				if err := f(c); err != nil {
					return err
				}
			}
			return nil
		},
		Entity: func(_ context.Context, key []byte) (triggers.Change, bool, error) {
			c, ok := stored[string(key)]
			return c, ok, nil
		},
		Runs: func(context.Context) (triggers.Runs, error) { return triggers.Runs{}, nil },
	}
}

// until waits for a condition; what is read in it is guarded.
func (r *run) until(what string, f func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		ok := f()
		r.mu.Unlock()
		if ok {
			return
		}
	}
	r.Fatalf("not within %s: %s", patience, what)
}

func (r *run) working() {
	r.Helper()
	r.until("it works", func() bool { return slices.Contains(r.health, triggers.Active) })
}

// happen makes one thing happen and waits for its events.
func (r *run) happen() {
	r.Helper()
	r.mu.Lock()
	before := len(r.events)
	r.mu.Unlock()
	r.n++
	r.suite.Happen(r.T, r.fields, r.n)
	r.until("an event", func() bool { return len(r.events) > before })
}

var errStop = errors.New("that is enough")

func (r *run) end(stop func(error) error) {
	r.Helper()
	if err := stop(errStop); !errors.Is(err, errStop) {
		r.Errorf("Run returned %v, want the cause", err)
	}
}

func (r *run) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

func testBaseline(r *run) {
	stop := r.start()
	r.until("a baseline", func() bool { return r.batches > 0 && r.cursor != nil })
	r.end(stop)
	if n := r.count(); n > 0 {
		r.Errorf("the baseline came with %d events", n)
	}
}

func testHealth(r *run) {
	stop := r.start()
	r.working()
	r.mu.Lock()
	if r.cursor == nil {
		r.Error("it says that it works before its baseline is stored")
	}
	r.mu.Unlock()
	r.end(stop)
	stop = r.start()
	r.working()
	r.end(stop)
}

func testStop(r *run) {
	stop := r.start()
	r.working()
	r.end(stop)
	r.n++
	r.suite.Happen(r.T, r.fields, r.n)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late {
		r.Error("it emits after Run has returned")
	}
}

func testOnce(r *run) {
	stop := r.start()
	r.working()
	for range 3 {
		r.happen()
	}
	r.end(stop)
	if n := r.count(); n < 3 {
		r.Errorf("%d events of 3", n)
	}
}

func testResume(r *run) {
	stop := r.start()
	r.working()
	r.happen()
	r.end(stop)
	before := r.count()
	stop = r.start()
	r.working()
	if n := r.count(); n != before {
		r.Errorf("%d events became %d without anything happening", before, n)
	}
	r.happen()
	r.end(stop)
}

func testDowntime(r *run) {
	stop := r.start()
	r.working()
	r.end(stop)
	r.n++
	r.suite.Happen(r.T, r.fields, r.n)
	stop = r.start()
	r.until("an event", func() bool { return len(r.events) > 0 })
	r.end(stop)
}

func testRefused(r *run) {
	stop := r.start()
	r.working()
	r.mu.Lock()
	r.refuse = ErrFull
	r.mu.Unlock()
	r.n++
	r.suite.Happen(r.T, r.fields, r.n)
	r.until("Run returns", func() bool { return r.stopped })
	if err := stop(errStop); !errors.Is(err, ErrFull) {
		r.Errorf("Run returned %v, want the error of emit", err)
	}
	r.mu.Lock()
	r.refuse = nil
	r.mu.Unlock()
	stop = r.start()
	r.until("the event again", func() bool { return len(r.events) > 0 })
	r.end(stop)
}

func testWaits(r *run) {
	stop := r.start()
	for range 2 {
		r.until("it waits", func() bool { return r.waits })
		r.happen()
	}
	r.end(stop)
}

func testPayload(r *run) {
	stop := r.start()
	r.working()
	r.happen()
	r.end(stop)
	for _, e := range r.events {
		var fields map[string]any
		if err := json.Unmarshal(e.Payload, &fields); err != nil {
			r.Errorf("%s: the payload is no object: %v", e.Key, err)
		}
		for field := range fields {
			if _, declared := r.made.Event[field]; !declared {
				r.Errorf("%s: the payload has an undeclared field %s", e.Key, field)
			}
		}
		if e.Key == "" || e.Kind == "" {
			r.Errorf("an event without key or kind: %+v", e)
		}
	}
}
