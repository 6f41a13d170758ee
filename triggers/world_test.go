package triggers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// feed is a source that emits what a test hands it.
type feed struct {
	batches chan triggers.Batch
	results chan error
	panics  atomic.Bool
	runs    atomic.Int32
	slow    chan struct{} // its baseline waits for this, when set
	hung    chan struct{} // with the next batch it waits for this, whatever else happens

	asked // what it answers beside its run

	runsWith graph.Env // what it knows of its events when it runs
}

func (s *feed) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	s.runs.Add(1)
	if s.slow != nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.slow:
		}
	}
	if from.Cursor == nil {
		if err := emit(ctx, triggers.Batch{Cursor: json.RawMessage(`{}`)}); err != nil {
			return err
		}
	}
	if s.runsWith != nil {
		if err := from.Fits(s.runsWith); err != nil {
			return err
		}
	}
	from.Health(triggers.Active, "")
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case b := <-s.batches:
			if s.panics.Load() {
				panic("bad weather")
			}
			if hung := s.hung; hung != nil {
				<-hung
				if err := emit(ctx, triggers.Batch{Events: []triggers.Event{event(1000)}}); err == nil {
					panic("it still counts")
				}
				return context.Cause(ctx)
			}
			err := emit(ctx, b)
			s.results <- err
			if err != nil {
				return err
			}
		}
	}
}

// world is a manager over a ledger in memory, with a source to feed by hand.
type world struct {
	*testing.T
	ledger   *triggertest.Ledger
	manager  *triggers.Manager
	feed     *feed
	log      *bytes.Buffer // to be read when the manager has stopped
	asked    []string      // dispatches that were asked to end
	checked  int           // firings that a property test has looked at
	made     func(*triggers.Made)
	refuse   atomic.Pointer[func([]triggers.Decision) error] // what the ledger says to decisions
	restored bool
	slowly   bool          // the gate has decided before somebody reads past events
	setBack  time.Duration // by how much the clock was, while nothing ran
	stop     func()
	n        int

	alarms struct {
		sync.Mutex
		list []triggers.Alarm
	}
}

const echo = `
lattice: echo
inputs:
  path: {type: string, default: none}
  n: {type: integer, default: 0}
electrons:
  e: {run: [echo, "${{ inputs.path }}"]}
`

func parse(t testing.TB, doc string) *graph.Lattice {
	t.Helper()
	l, err := graph.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newWorld starts a manager; it is stopped when the test ends.
func newWorld(t *testing.T) *world {
	w := &world{T: t, ledger: triggertest.NewLedger(), feed: &feed{batches: make(chan triggers.Batch), results: make(chan error)}}
	w.ledger.AddLattice(parse(t, echo))
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	kinds := triggers.Kinds{"feed": func(f *triggers.Fields) triggers.Made {
		f.Text("topic", "any")
		made := triggers.Made{Source: w.feed, Event: graph.Env{"path": graph.String, "n": graph.Integer}}
		if w.made != nil {
			w.made(&made)
		}
		return made
	}}
	var log zerolog.Logger
	w.log, log = newLog()
	w.manager = triggers.NewManager(&choosy{w.ledger, w}, kinds, triggers.Options{
		Restored: w.restored,
		Log:      log, RunAs: "runner",
		Alarm: func(a triggers.Alarm) {
			w.alarms.Lock()
			defer w.alarms.Unlock()
			w.alarms.list = append(w.alarms.list, a)
		},
		Cancelled: func(ids []string) { w.asked = append(w.asked, ids...) },
	})
	stop := runManager(w.T, w.manager)
	w.stop = func() {
		w.stop = func() {}
		stop()
	}
}

// choosy is a ledger that refuses some decisions.
type choosy struct {
	*triggertest.Ledger
	w *world
}

func (c *choosy) Record(ctx context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	if refuse := c.w.refuse.Load(); refuse != nil {
		if err := (*refuse)(ds); err != nil {
			return triggers.Recorded{}, err
		}
	}
	return c.Ledger.Record(ctx, id, revision, b, ds)
}

func (c *choosy) Fire(ctx context.Context, id string, revision int, ds []triggers.Decision) (triggers.Fired, error) {
	if refuse := c.w.refuse.Load(); refuse != nil {
		if err := (*refuse)(ds); err != nil {
			return triggers.Fired{}, err
		}
	}
	return c.Ledger.Fire(ctx, id, revision, ds)
}

func (c *choosy) Past(ctx context.Context, id string, states []triggers.EventState, after int64, limit int) ([]triggers.Event, error) {
	if c.w.slowly {
		synctest.Wait()
	}
	return c.Ledger.Past(ctx, id, states, after, limit)
}

func (c *choosy) Triggers(ctx context.Context) ([]triggers.Trigger, error) {
	ts, err := c.Ledger.Triggers(ctx)
	for i := range ts {
		ts[i].UpdatedAt = ts[i].UpdatedAt.Add(c.w.setBack)
	}
	return ts, err
}

// runManager runs a manager until the function it returns is called.
func runManager(t testing.TB, m *triggers.Manager) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// restart stops the manager and starts another over the same ledger.
func (w *world) restart() {
	w.stop()
	w.start()
	synctest.Wait()
}

// add registers a trigger; fields come after name, kind and target.
func (w *world) add(fields string) triggers.Trigger {
	w.Helper()
	t, _, err := w.manager.Add(w.Context(), spec(fields), triggers.Principal{Name: "ada"})
	if err != nil {
		w.Fatal(err)
	}
	return t
}

func spec(fields string) []byte {
	s := `{"name": "t", "kind": "feed", "lattice": "echo"`
	if fields != "" {
		s += ", " + fields
	}
	return []byte(s + "}")
}

// happen emits events with the next numbers, in one batch.
func (w *world) happen(count int) {
	w.Helper()
	var b triggers.Batch
	for range count {
		w.n++
		b.Events = append(b.Events, event(w.n))
	}
	if err := w.emit(b); err != nil {
		w.Fatal(err)
	}
}

func event(n int) triggers.Event {
	return triggers.Event{
		Key: fmt.Sprintf("k%d", n), Kind: "made",
		Payload: json.RawMessage(fmt.Sprintf(`{"path":"/in/%d","n":%d}`, n, n)),
	}
}

func (w *world) emit(b triggers.Batch) error {
	w.feed.batches <- b
	err := <-w.feed.results
	synctest.Wait()
	return err
}

// end completes n dispatches and tells the manager, as the dispatcher does.
func (w *world) end(t triggers.Trigger, n int) {
	for range w.ledger.EndDispatches(t.ID, n) {
		w.manager.DispatchEnded(t.ID)
	}
	synctest.Wait()
}

// states lists the events as "n:state:reason", in order.
func (w *world) states(t triggers.Trigger) string {
	var out []string
	for _, e := range w.ledger.Events(t.ID) {
		reason, _, _ := strings.Cut(e.Reason, ":")
		out = append(out, fmt.Sprintf("%s:%s:%s", strings.TrimPrefix(e.Key, "k"), e.State, reason))
	}
	return strings.Join(out, " ")
}

func (w *world) expect(t triggers.Trigger, want string) {
	w.Helper()
	if got := w.states(t); got != want {
		w.Errorf("events\n got %s\nwant %s", got, want)
	}
}

// inputs lists the inputs of the dispatches, in order.
func (w *world) inputs(t triggers.Trigger) string {
	var out []string
	for _, d := range w.ledger.Dispatches(t.ID) {
		out = append(out, string(d.Inputs))
	}
	return strings.Join(out, " ")
}

// inBubble runs f with simulated time, on one processor: timers of a bubble share one
// context of the race detector, and two that fire at once crash it.
func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		synctest.Wait()
		f(t, w)
		w.stop()
	})
}

func wait(d time.Duration) {
	time.Sleep(d) // simulated
	synctest.Wait()
}
