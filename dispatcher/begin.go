package dispatcher

import (
	"context"
	"runtime"
	"time"

	"github.com/latticed/latticed/graph"
)

// beginning is a dispatch that has its place in the window before it is stored, and a
// first step that does nothing but start attempts: so both are one transaction. It is
// nobody's but its maker's until begun or dropped.
type beginning struct {
	w      *walker
	to     *running
	k      *walk
	starts []graph.AttemptStart
	as     []*attempt // of starts
	over   bool       // it has begun, or was dropped
}

// begin takes a place for g, which is not stored yet, and plans its first step. nil: it
// goes the long way, through the table, since there is no room, older ones wait, nothing
// may start, or its first step has to say more than that attempts start.
func (d *Dispatcher) begin(g graph.Dispatch, l *graph.Lattice) *beginning {
	if g.Status != graph.Pending || g.Reuse || g.Sweep != 0 || l.Late() || !d.anySlot() {
		return nil
	}
	b := d.place(g)
	if b == nil {
		return nil
	}
	err := guard(func() (err error) {
		if b.k, err = newWalk(b.to.ctx, b.w, graph.Run{Dispatch: g}, l); err == nil {
			b.k.plan()
		}
		return err
	})
	if err != nil || !onlyStarts(b.k.step) {
		b.drop()
		return nil
	}
	b.starts, b.as = b.k.step.Starts, b.k.starting
	for i := range b.starts {
		b.starts[i].At = time.Time{} // that of the transaction
	}
	b.k.step, b.k.starting = graph.Step{Dispatch: g.ID}, nil
	return b
}

// onlyStarts tells whether a step can be stored with its dispatch.
func onlyStarts(s graph.Step) bool {
	return len(s.Starts) > 0 && len(s.Ends)+len(s.Electrons)+len(s.Assets) == 0 && s.Waiting == nil && s.Finish == nil
}

// place takes a place in the window for a dispatch that has no number yet.
func (d *Dispatcher) place(g graph.Dispatch) *beginning {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run == nil || d.behind || len(d.live) >= d.opts.Window || d.live[g.ID] != nil { // it is tried again, and may be stored
		return nil
	}
	w := newWalker(d, graph.Run{Dispatch: g})
	d.live[w.id] = w
	d.run.wg.Add(1) // Run doesn't return before it is known what becomes of it
	return &beginning{w: w, to: d.run}
}

// anySlot tells whether anything could start now.
func (d *Dispatcher) anySlot() bool {
	for _, s := range d.slots {
		if s.free() {
			return true
		}
	}
	return false
}

// drop gives everything back, unless the dispatch has begun: it is not stored, or goes
// the long way.
func (b *beginning) drop() {
	if b.over {
		return
	}
	b.over = true
	if b.k != nil {
		b.k.leave()
	}
	b.w.d.left(b.w)
	b.to.wg.Done()
}

// landed tells whether the dispatch was stored although the answer is an error, and what
// it was accepted as. When that can't be read, b looks on by itself.
func (b *beginning) landed(ctx context.Context, g *graph.Dispatch) bool {
	if b == nil {
		return false
	}
	r, err := b.w.read(context.WithoutCancel(ctx))
	if err != nil {
		b.lookOn()
		return false
	}
	if r.Dispatch.Status == graph.Running {
		*g = accepted(r.Dispatch)
		return true
	}
	return false
}

// lookOn looks until it is known whether the dispatch was stored: running without a walker
// it would stay as it is until the next Run.
func (b *beginning) lookOn() {
	late := *b
	b.over = true // the place is late's
	go func() {
		d := late.w.d
		var r graph.Run
		if d.persist(late.to.ctx, "look for a dispatch that may be stored", func() (err error) {
			r, err = late.w.read(late.to.ctx)
			return err
		}) && r.Dispatch.Status == graph.Running {
			late.begun(accepted(r.Dispatch))
			return
		}
		late.drop()
		d.Wake() // it may have been stored meanwhile, as one that waits
	}()
}

// accepted is g as it was before it began.
func accepted(g graph.Dispatch) graph.Dispatch {
	g.Status, g.StartedAt, g.Counts = graph.Pending, time.Time{}, graph.Counts{Pending: g.Total}
	return g
}

// begun walks on with g, which is stored with its first step.
func (b *beginning) begun(g graph.Dispatch) {
	d := b.w.d
	b.over = true
	d.mu.Lock()
	b.w.number = g.Number
	d.walked[g.Number] = struct{}{}
	d.mu.Unlock()
	b.k.isStored(g, b.as)
	go func() {
		defer b.to.wg.Done()
		b.w.live(b.to.ctx, graph.Run{Dispatch: g}, b)
		d.left(b.w)
	}()
	runtime.Gosched() // its attempts go first, and what is left to do here beside them
}

// isStored tells a walk what is known only now.
func (k *walk) isStored(g graph.Dispatch, as []*attempt) {
	g.Status, g.StartedAt, g.First = graph.Running, g.CreatedAt, nil
	k.disp, k.begun = g, true
	k.vals.about(g)
	for _, a := range as {
		a.begun, a.task.Number = g.StartedAt, g.Number
	}
}
