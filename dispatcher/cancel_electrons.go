package dispatcher

import (
	"context"

	"github.com/latticed/latticed/graph"
)

// CancelElectrons asks for the end of electrons, by name, and of everything that needs
// them; the rest of the dispatch (id or number) goes on. What runs of them is cancelled
// when nothing of it is left, what has ended stays as it is. An unknown name is a
// *graph.Invalid.
func (d *Dispatcher) CancelElectrons(ctx context.Context, id string, named []string) (graph.Dispatch, error) {
	before, err := d.store.Dispatch(ctx, id)
	if err != nil {
		return before, err
	}
	l, err := d.store.Lattice(ctx, before.LatticeID)
	if err != nil {
		return graph.Dispatch{}, err
	}
	is, err := l.Downstream(named)
	if err != nil || before.Status.Terminal() {
		return before, err
	}
	electrons := make(map[int]string, len(is))
	for _, i := range is {
		electrons[i] = l.Electrons[i].Name
	}
	d.recovering.RLock() // as in Cancel
	defer d.recovering.RUnlock()
	g, marked, err := d.store.RequestCancelElectrons(ctx, before.ID, electrons)
	if err != nil || marked == 0 {
		return g, err
	}
	d.mu.Lock()
	w := d.live[g.ID]
	d.mu.Unlock()
	if w != nil {
		w.mark(is)
	}
	return g, nil
}
