package triggertest

import (
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// AddLattice stores a lattice under its id and makes its name point at it.
func (l *Ledger) AddLattice(lattice *graph.Lattice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lattices[lattice.ID], l.lattices[lattice.Name] = lattice, lattice
}

// AddDispatch stores a dispatch and returns it with its number.
func (l *Ledger) AddDispatch(d graph.Dispatch) graph.Dispatch {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.Number = int64(len(l.dispatches) + 1)
	l.dispatches = append(l.dispatches, d)
	return d
}

// BeginDispatches makes up to n dispatches of a trigger running, oldest first, and
// returns how many there were. Those that have not begun end as soon as they are asked.
func (l *Ledger) BeginDispatches(trigger string, n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	begun := 0
	for i := range l.dispatches {
		if d := &l.dispatches[i]; begun < n && d.TriggerID == trigger && !d.Status.Terminal() && d.Status != graph.Running {
			d.Status, d.StartedAt = graph.Running, time.Now()
			begun++
		}
	}
	return begun
}

// SetDispatch makes a dispatch run or end.
func (l *Ledger) SetDispatch(id string, to graph.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.dispatches {
		d := &l.dispatches[i]
		if d.ID != id {
			continue
		}
		if to.Terminal() {
			l.ended(d, to)
		} else {
			d.Status, d.StartedAt = to, time.Now()
		}
	}
}

// EndDispatches completes up to n non-terminal dispatches of a trigger, oldest first,
// and returns how many there were; those that were asked to end are cancelled.
func (l *Ledger) EndDispatches(trigger string, n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended := 0
	for i := range l.dispatches {
		if d := &l.dispatches[i]; ended < n && d.TriggerID == trigger && !d.Status.Terminal() {
			as := graph.Completed
			if !d.CancelRequestedAt.IsZero() {
				as = graph.Cancelled
			}
			l.ended(d, as)
			ended++
		}
	}
	return ended
}

// Dispatches returns what a trigger has dispatched, in order.
func (l *Ledger) Dispatches(trigger string) []graph.Dispatch {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ds []graph.Dispatch
	for _, d := range l.dispatches {
		if d.TriggerID == trigger {
			ds = append(ds, d)
		}
	}
	return ds
}

// Events returns the events of a trigger in order.
func (l *Ledger) Events(trigger string) []triggers.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.triggers[trigger]
	if r == nil {
		return nil
	}
	es := make([]triggers.Event, len(r.events))
	for i, e := range r.events {
		es[i] = *e
	}
	return es
}

// Firings returns the firings of a trigger in order.
func (l *Ledger) Firings(trigger string) []triggers.Firing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.triggers[trigger]; r != nil {
		return append([]triggers.Firing(nil), r.firings...)
	}
	return nil
}

// States returns the states a trigger went through, each with its reason.
func (l *Ledger) States(trigger string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.triggers[trigger]; r != nil {
		return append([]string(nil), r.states...)
	}
	return nil
}

// Inventory returns how many entities a trigger knows.
func (l *Ledger) Inventory(trigger string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.triggers[trigger]; r != nil {
		return len(r.entities)
	}
	return 0
}

// Records returns how many batches were recorded.
func (l *Ledger) Records() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records
}
