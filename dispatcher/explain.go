package dispatcher

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/latticed/latticed/graph"
)

// Explain fills in why a pending dispatch has not begun. What else a dispatch may wait
// for is stored.
func (d *Dispatcher) Explain(g *graph.Dispatch) {
	if hold := d.Held(); hold != nil && hold.Code == HoldRestored && (g.Status == graph.Pending || g.Status == graph.Running) {
		g.Waiting = hold
		return
	}
	if g.Status == graph.Pending && g.Waiting == nil {
		g.Waiting = d.line(*g)
	}
}

// line is why a dispatch is not walked yet.
func (d *Dispatcher) line(g graph.Dispatch) *graph.Waiting {
	if g.Held {
		return &graph.Waiting{Code: waitSweep, Since: g.CreatedAt, Detail: "others of its sweep go first"}
	}
	if hold := d.Held(); hold != nil {
		return hold
	}
	if d.free() > 0 {
		return &graph.Waiting{Code: waitQueue, Since: g.CreatedAt, Detail: "it is about to begin"}
	}
	return &graph.Waiting{Code: waitWindow, Since: g.CreatedAt, Detail: "as many dispatches run as may at a time; older ones go first"}
}

// ExplainElectrons fills in why electrons of g are pending. The stored reasons, such as
// the wait for a retry, stay.
func (d *Dispatcher) ExplainElectrons(ctx context.Context, g graph.Dispatch, es []graph.Electron) error {
	for i := range es {
		if e := &es[i]; !e.CancelRequestedAt.IsZero() && !e.Status.Terminal() && e.Waiting == nil {
			e.Waiting = &graph.Waiting{Code: waitCancel, Since: e.CancelRequestedAt, Detail: "it was asked to end"}
		}
	}
	if g.Status != graph.Pending && g.Status != graph.Running {
		return nil
	}
	var l *graph.Lattice
	d.mu.Lock()
	w := d.live[g.ID]
	d.mu.Unlock()
	for i := range es {
		e := &es[i]
		if e.Status != graph.Pending || e.Waiting != nil {
			continue
		}
		var ended []atomic.Bool
		if w != nil {
			ended = w.progress()
		}
		if g.Status == graph.Pending || ended == nil {
			e.Waiting = d.line(g)
			continue
		}
		if l == nil {
			var err error
			if l, err = d.store.Lattice(ctx, g.LatticeID); err != nil {
				return err
			}
		}
		if e.Index < len(ended) && e.Index < len(l.Electrons) {
			e.Waiting = d.electronWaits(g, l, e.Index, ended)
		}
	}
	return nil
}

// electronWaits tells an electron whose needs are open from one that has no slot.
func (d *Dispatcher) electronWaits(g graph.Dispatch, l *graph.Lattice, i int, ended []atomic.Bool) *graph.Waiting {
	var open []string
	for _, n := range l.Electrons[i].Needs {
		if !ended[n.Electron].Load() {
			open = append(open, l.Electrons[n.Electron].Name)
		}
	}
	w := &graph.Waiting{Since: g.StartedAt}
	name := l.Electrons[i].Executor
	switch {
	case len(open) > 5:
		w.Code, w.Detail = waitUpstream, "needs "+strings.Join(open[:5], ", ")+" and others to end"
	case len(open) > 0:
		w.Code, w.Detail = waitUpstream, "needs "+strings.Join(open, ", ")+" to end"
	case d.slots[name] == nil:
		w.Code, w.Detail = waitExecutor, noExecutor(name)
	case d.Held() != nil:
		return d.Held()
	default:
		w.Code, w.Detail = waitSlots, "all slots of executor "+name+" are taken"
	}
	return w
}

func noExecutor(name string) string {
	return "there is no executor named " + name + " in the configuration"
}

// progress says which electrons have ended; nil before the first walk.
func (w *walker) progress() []atomic.Bool {
	if p := w.ended.Load(); p != nil {
		return *p
	}
	return nil
}
