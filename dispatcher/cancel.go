package dispatcher

import (
	"context"
	"errors"

	"github.com/latticed/latticed/graph"
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
	g, err := d.store.RequestCancel(ctx, before.ID)
	if err != nil {
		return graph.Dispatch{}, err
	}
	d.mu.Lock()
	w := d.live[g.ID]
	d.mu.Unlock()
	if g.Status.Terminal() {
		if g.Status == graph.Cancelled && g.StartedAt.IsZero() {
			if w != nil {
				w.gone.Store(true)
				w.signal()
			}
			d.hasEnded(g)
		}
		return g, nil
	}
	if w != nil && g.Status == graph.Running {
		w.cancel.Store(true)
		w.signal()
	}
	return g, nil
}
