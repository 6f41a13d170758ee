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
	"time"

	"github.com/latticed/latticed/triggers"
)

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
		Known: func(_ context.Context, keys []string) ([]string, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !r.keys[key] }), nil
		},
		Ended: func(ctx context.Context, after int64, limit int) ([]triggers.Ended, int64, error) {
			if r.suite.Ended == nil {
				return nil, max(after, 0), nil
			}
			es, place, err := r.suite.Ended(ctx, after, limit)
			return slices.DeleteFunc(es, func(e triggers.Ended) bool {
				end := triggers.EndOf(&e.Dispatch, e.Seq)
				return !r.made.Follows.Match(&end)
			}), place, err
		},
		Trigger: "the-trigger",
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
	r.occur()
	r.until("an event", func() bool { return len(r.events) > before })
}

// occur makes one thing happen; who follows the ends of dispatches is woken.
func (r *run) occur() {
	r.suite.Happen(r.T, r.fields, r.n)
	if r.made.Follows != nil {
		r.ring()
	}
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
