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
	// Ended is told about every dispatch that reached a final state, after it is
	// durable. It is called from the goroutine of that dispatch and must not block.
	Ended func(graph.Dispatch)
	// Log is silent by default.
	Log zerolog.Logger
}

// Dispatcher runs dispatches. See the package comment.
type Dispatcher struct {
	store Store
	execs map[string]executors.Executor
	slots map[string]*slots // one for each of execs
	opts  Options
	log   zerolog.Logger
	docs  documents
	wake  chan struct{} // one slot, no data
	beats chan chan<- struct{}

	// claiming keeps a cancellation from falling between the moment a dispatch was
	// read as running and the moment its walker can be told: Cancel reads, claims write.
	claiming sync.RWMutex

	unsure bool // the last claim failed; belongs to Run

	mu    sync.Mutex
	live  map[string]*walker  // by dispatch id
	owned map[string]struct{} // attempts that are started but not yet released
	count counters
}

// New returns a dispatcher of what store holds. execs are the executors by name.
func New(store Store, execs map[string]executors.Executor, o Options) *Dispatcher {
	if o.Parallel <= 0 {
		o.Parallel = max(8, runtime.NumCPU())
	}
	if o.Window <= 0 {
		o.Window = 256
	}
	d := &Dispatcher{
		store: store,
		execs: execs,
		slots: make(map[string]*slots, len(execs)),
		opts:  o,
		log:   o.Log.With().Str(keyComponent, "dispatcher").Logger(),
		wake:  make(chan struct{}, 1),
		beats: make(chan chan<- struct{}),
		live:  map[string]*walker{},
		owned: map[string]struct{}{},
	}
	d.count.ended, d.count.attempts = newTally(), newTally()
	for name := range execs {
		d.slots[name] = &slots{limit: o.Parallel}
	}
	return d
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
	if !d.persistOn(ctx, d.beats, "recover", func() error { return d.recover(ctx, &wg) }) {
		return nil
	}
	wg.Go(func() { d.settle(ctx) })
	claim := func() error { return d.claim(ctx, &wg) }
	for {
		d.persistOn(ctx, d.beats, "claim", claim)
		if !d.sleepUntilWoken(ctx) {
			return nil
		}
	}
}

const page = 64 // dispatches read or claimed at a time

// recover starts a walker for every dispatch that is running. It may be repeated.
func (d *Dispatcher) recover(ctx context.Context, wg *sync.WaitGroup) error {
	for after := int64(0); ; {
		runs, err := d.take(ctx, wg, "dispatch found again", func() ([]graph.Run, error) {
			return d.store.Live(ctx, after, page)
		})
		if err != nil || len(runs) == 0 {
			return err
		}
		after = runs[len(runs)-1].Dispatch.Number
	}
}

// claim fills the window with pending dispatches. One that seemed to fail may have been
// stored all the same: then its dispatches are running, without a walker.
func (d *Dispatcher) claim(ctx context.Context, wg *sync.WaitGroup) (err error) {
	if d.unsure {
		if err := d.recover(ctx, wg); err != nil {
			return err
		}
	}
	defer func() { d.unsure = err != nil }()
	for {
		n := min(page, d.free())
		if n <= 0 {
			return nil // the end of a walker wakes us
		}
		runs, err := d.take(ctx, wg, "dispatch started", func() ([]graph.Run, error) {
			return d.store.Claim(ctx, n)
		})
		if err != nil || len(runs) < n {
			return err
		}
	}
}

// take starts walkers for what f returns. No cancellation comes between.
func (d *Dispatcher) take(ctx context.Context, wg *sync.WaitGroup, what string, f func() ([]graph.Run, error)) ([]graph.Run, error) {
	d.claiming.Lock()
	defer d.claiming.Unlock()
	runs, err := f()
	if err == nil {
		d.start(ctx, wg, runs, what)
	}
	return runs, err
}

func (d *Dispatcher) free() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opts.Window - len(d.live)
}

// start makes walkers for runs that have none yet.
func (d *Dispatcher) start(ctx context.Context, wg *sync.WaitGroup, runs []graph.Run, what string) {
	for _, r := range runs {
		w := newWalker(d, r)
		d.mu.Lock()
		if d.live[w.id] != nil {
			d.mu.Unlock()
			continue
		}
		d.live[w.id] = w
		for _, a := range openAttempts(r) {
			d.owned[a.ID] = struct{}{}
		}
		d.mu.Unlock()
		d.log.Info().Str(keyDispatch, w.id).Str(keyStatus, string(r.Dispatch.Status)).
			Str(keyLattice, r.Dispatch.LatticeName).Msg(what)
		wg.Go(func() {
			w.live(ctx, r)
			d.mu.Lock()
			delete(d.live, w.id)
			d.mu.Unlock()
			d.Wake()
		})
	}
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
