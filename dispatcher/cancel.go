package dispatcher

import (
	"context"
	"errors"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Start lets a new dispatch (id or number) run; one that has started already is
// returned as it is.
func (d *Dispatcher) Start(ctx context.Context, id string) (graph.Dispatch, error) {
	g, err := d.store.Dispatch(ctx, id)
	if err != nil || g.Status != graph.New {
		return g, err
	}
	started, err := d.store.StartDispatch(ctx, g.ID)
	if errors.Is(err, graph.ErrStale) {
		return d.store.Dispatch(ctx, g.ID) // somebody was faster
	}
	if err != nil {
		return graph.Dispatch{}, err
	}
	d.log.Info().Str(keyDispatch, g.ID).Str(keyStatus, string(started.Status)).Msg("dispatch started by hand")
	d.Wake()
	return started, nil
}

// Cancel asks for the end of a dispatch (id or number). One that has not begun ends at
// once; a running one stays running, with CancelRequestedAt set, until nothing of it is
// left; a final one is returned as it is.
func (d *Dispatcher) Cancel(ctx context.Context, id string) (graph.Dispatch, error) {
	before, err := d.store.Dispatch(ctx, id)
	if err != nil || before.Status.Terminal() {
		return before, err
	}
	// Whoever reads runs meanwhile either sees the mark or has its walker in d.live.
	d.recovering.RLock()
	defer d.recovering.RUnlock()
	g, changed, err := d.store.RequestCancel(ctx, before.ID)
	if err != nil {
		return graph.Dispatch{}, err
	}
	d.heard(g, changed)
	return g, nil
}

// Cancelled is told of dispatches that a transaction of the triggers has asked to end.
// It never blocks. What is told while nobody runs is of no consequence: Run finds the
// marks in the store.
func (d *Dispatcher) Cancelled(ids []string) {
	if len(ids) == 0 {
		return
	}
	d.mu.Lock()
	d.asked = append(d.asked, ids...)
	d.mu.Unlock()
	select {
	case d.listen <- struct{}{}:
	default: // it will hear of these, too
	}
}

// heed passes on what Cancelled is told, until ctx ends. Recovery is over, so that
// what it has read without the mark has a walker that can be told.
func (d *Dispatcher) heed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.listen:
		}
		d.mu.Lock()
		ids := d.asked
		d.asked = nil
		d.mu.Unlock()
		for _, id := range ids {
			var g graph.Dispatch
			if !d.persist(ctx, "read a dispatch that is to end", func() (err error) {
				if g, err = d.store.Dispatch(ctx, id); errors.Is(err, triggers.ErrNotFound) {
					err = nil // it has ended, and was deleted
				}
				return err
			}) {
				return
			}
			d.heard(g, true)
		}
	}
}

// heard makes known that somebody asked g to end. first: nobody had before, so if it
// ended by that, nobody else tells it.
func (d *Dispatcher) heard(g graph.Dispatch, first bool) {
	d.mu.Lock()
	w := d.live[g.ID]
	d.mu.Unlock()
	switch {
	case g.Status == graph.Running && w != nil:
		w.cancel.Store(true)
		w.signal()
	case g.Status == graph.Cancelled && g.StartedAt.IsZero() && first:
		if w != nil {
			w.gone.Store(true)
			w.signal()
		}
		if g.Sweep != 0 {
			d.Wake() // its place is another's
		}
		d.hasEnded(g)
	}
}
