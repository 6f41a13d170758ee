package dispatcher

import (
	"context"
	"runtime"
	"sync"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// Options says how a Dispatcher works. The zero value is good.
type Options struct {
	// Parallel is how many attempts run at a time on each executor, default
	// max(8, NumCPU).
	Parallel int
	// Window is how many dispatches are walked at a time, default 256; the others
	// wait as rows.
	Window int
	// Restored says that the state directory comes from a backup: a hold of HoldRestored
	// is there from the beginning.
	Restored bool
	// Ended is told about every dispatch that reached a final state, after it is
	// durable. It is called from the goroutine of that dispatch and must not block.
	Ended func(graph.Dispatch)
	// Log is silent by default.
	Log zerolog.Logger
}

// Dispatcher runs dispatches. See the package comment.
type Dispatcher struct {
	store  Store
	execs  map[string]executors.Executor
	slots  map[string]*slots // one for each of execs
	opts   Options
	log    zerolog.Logger
	docs   documents
	looks  *looks
	wake   chan struct{} // one slot, no data
	listen chan struct{} // one slot: there is something in asked
	beats  chan chan<- struct{}
	ready  chan struct{} // closed once what an earlier process left running has walkers
	holds  holds

	// recovering keeps a cancellation from falling between the moment a dispatch was
	// read as running and the moment its walker can be told: Cancel reads, recover writes.
	recovering sync.RWMutex

	mu     sync.Mutex
	run    *running            // nil while Run doesn't take dispatches up
	behind bool                // pending dispatches may wait that are not in live
	live   map[string]*walker  // the window, by dispatch id
	walked map[int64]struct{}  // their numbers
	owned  map[string]struct{} // attempts that are started but not yet released
	parted map[string]struct{} // those released while executors settle; nil: none does
	asked  []string            // dispatches that Cancelled was told of
	count  counters
}

// New returns a dispatcher of what store holds. execs are the executors by name.
func New(store Store, execs map[string]executors.Executor, o Options) *Dispatcher {
	o.Parallel = parallel(o.Parallel)
	if o.Window <= 0 {
		o.Window = 256
	}
	d := &Dispatcher{
		store:  store,
		execs:  execs,
		slots:  make(map[string]*slots, len(execs)),
		opts:   o,
		log:    o.Log.With().Str(keyComponent, "dispatcher").Logger(),
		looks:  newLooks(),
		wake:   make(chan struct{}, 1),
		listen: make(chan struct{}, 1),
		beats:  make(chan chan<- struct{}),
		ready:  make(chan struct{}),
		live:   map[string]*walker{}, walked: map[int64]struct{}{},
		owned: map[string]struct{}{},
	}
	d.count.ended, d.count.attempts = newTally(), newTally()
	for name := range execs {
		d.slots[name] = &slots{limit: o.Parallel}
	}
	if o.Restored {
		d.Hold(HoldRestored, "restored from a backup; latticed hold tells what would happen, latticed hold --end lets it go on")
	}
	return d
}

// parallel is how many attempts run at a time when n are wished for.
func parallel(n int) int {
	if n <= 0 {
		return max(8, runtime.NumCPU())
	}
	return n
}

// Wake makes Run look for pending dispatches. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // already awake
	}
}

// Run walks dispatches until ctx ends: first those an earlier process left running,
// then the pending ones, oldest first. It returns when nothing it started is alive;
// attempts are left running and are found again by the next Run.
func (d *Dispatcher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	if !d.untilRestored(ctx) {
		return nil
	}
	if !d.persistOn(ctx, d.beats, "recover", func() error { return d.recover(ctx, &wg) }) {
		return nil
	}
	close(d.ready)
	wg.Go(func() { d.settle(ctx) })
	wg.Go(func() { d.heed(ctx) })
	d.takeUp(&running{ctx, &wg})
	defer d.takeUp(nil)
	for {
		d.persistOn(ctx, d.beats, "look for pending dispatches", func() error { return d.fill(ctx) })
		if !d.sleepUntilWoken(ctx) {
			return nil
		}
	}
}

const page = 64 // dispatches read at a time

// recover starts a walker for every dispatch that is running. It may be repeated.
func (d *Dispatcher) recover(ctx context.Context, wg *sync.WaitGroup) error {
	for after := int64(0); ; {
		n, err := d.recoverPage(&running{ctx, wg}, &after)
		if err != nil || n == 0 {
			return err
		}
	}
}

// recoverPage lets no cancellation come between reading and the walkers.
func (d *Dispatcher) recoverPage(to *running, after *int64) (int, error) {
	d.recovering.Lock()
	defer d.recovering.Unlock()
	runs, err := d.store.Live(to.ctx, *after, page)
	if err != nil || len(runs) == 0 {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range runs {
		*after = r.Dispatch.Number
		if d.start(to, r) {
			d.log.Info().Str(keyDispatch, r.Dispatch.ID).Str(keyStatus, string(r.Dispatch.Status)).
				Str(keyLattice, r.Dispatch.LatticeName).Msg("dispatch found again")
		}
	}
	return len(runs), nil
}

// openAttempts returns the attempts of r that may be running.
func openAttempts(r graph.Run) []graph.Attempt {
	var open []graph.Attempt
	for _, e := range r.Electrons {
		for _, a := range e.Attempts {
			if !a.Status.Terminal() {
				open = append(open, a)
			}
		}
	}
	return open
}
