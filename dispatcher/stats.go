package dispatcher

import (
	"sync/atomic"

	"github.com/latticed/latticed/graph"
)

// Stats counts what the dispatcher does and did since it was made.
type Stats struct {
	Live   int // dispatches being walked
	Window int // how many may be

	Running map[string]int // attempts that hold a slot, by executor
	Slots   map[string]int // how many may, by executor

	Accepted int64                  // by Accept and Redispatch
	Ended    map[graph.Status]int64 // dispatches, by final state
	Attempts map[graph.Status]int64 // attempts, by final state
	Retries  int64                  // attempts repeated, lost ones included
	Reused   int64                  // electrons whose result was taken over

	Steps       int64 // transactions of walkers
	StepRetries int64 // steps that could not be stored at once
	StoreErrors int64 // other failures of the store or an executor that were tried again
	Restarts    int64 // walkers that started over: a stale step or a panic
	Asked       int64 // attempts that had to be asked again
}

type counters struct {
	accepted, retries, reused, steps, stepRetries, storeErrors, restarts, asked atomic.Int64

	ended, attempts map[graph.Status]*atomic.Int64 // fixed keys, so reading needs no lock
}

func newTally() map[graph.Status]*atomic.Int64 {
	m := map[graph.Status]*atomic.Int64{}
	for _, s := range []graph.Status{graph.Completed, graph.Failed, graph.Cancelled, graph.Lost} {
		m[s] = new(atomic.Int64)
	}
	return m
}

// Stats returns the numbers of now.
func (d *Dispatcher) Stats() Stats {
	c := &d.count
	s := Stats{
		Window:   d.opts.Window,
		Running:  make(map[string]int, len(d.slots)),
		Slots:    make(map[string]int, len(d.slots)),
		Accepted: c.accepted.Load(), Ended: read(c.ended), Attempts: read(c.attempts), Retries: c.retries.Load(), Reused: c.reused.Load(),
		Steps: c.steps.Load(), StepRetries: c.stepRetries.Load(), StoreErrors: c.storeErrors.Load(),
		Restarts: c.restarts.Load(), Asked: c.asked.Load(),
	}
	for name, sl := range d.slots {
		s.Running[name], s.Slots[name] = sl.inUse(), sl.size()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Live = len(d.live)
	return s
}

func read(by map[graph.Status]*atomic.Int64) map[graph.Status]int64 {
	m := make(map[graph.Status]int64, len(by))
	for s, n := range by {
		m[s] = n.Load()
	}
	return m
}
