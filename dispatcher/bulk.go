package dispatcher

import (
	"context"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// cancelBatch is how many cancellations share a transaction.
const cancelBatch = 100

// CancelAll asks for the end of dispatches, in that order, and returns them as they
// stand then, with those that this call has changed. One that was removed is left out.
// When it fails some may have been asked; to repeat it does no harm. Newest first is the
// best order: what waits in a sweep then ends before its turn comes.
func (d *Dispatcher) CancelAll(ctx context.Context, ids []string) (all []graph.Dispatch, changed map[string]bool, err error) {
	changed = map[string]bool{}
	for len(ids) > 0 {
		n := min(cancelBatch, len(ids))
		some, err := d.cancelSome(ctx, ids[:n], changed)
		all = append(all, some...)
		if err != nil {
			return all, changed, err
		}
		ids = ids[n:]
	}
	return all, changed, nil
}

func (d *Dispatcher) cancelSome(ctx context.Context, ids []string, changed map[string]bool) ([]graph.Dispatch, error) {
	d.recovering.RLock() // as in Cancel
	defer d.recovering.RUnlock()
	gs, first, err := d.store.RequestCancels(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, g := range gs {
		if first[i] {
			changed[g.ID] = true
		}
		d.heard(g, first[i])
	}
	return gs, nil
}

// BulkRequest redispatches many; its lattice is that of each.
type BulkRequest struct {
	Request     // of each of the new ones: Inputs and Unset are laid over those of its parent
	Limit   int // how many run at a time; 0: graph.DefaultInFlight
}

// BulkPlan is what would become of a BulkRequest. It is stored with Sweep.
type BulkPlan struct {
	SweepPlan
	Refused map[string]error // by id: why a dispatch can't be run again so
}

// PlanBulk makes a new dispatch for each of the dispatches named by id, unless what is
// asked doesn't fit it, and stores nothing. Those that were removed are refused, too.
func (d *Dispatcher) PlanBulk(ctx context.Context, ids []string, r BulkRequest) (*BulkPlan, error) {
	p := &BulkPlan{Refused: map[string]error{}}
	if _, labelled := r.Labels[graph.SweepLabel]; labelled {
		return nil, invalid("labels."+graph.SweepLabel, graph.CodeBadValue, "is what the new dispatches are called together; use another label")
	}
	if err := checkText(r.Request); err != nil {
		return nil, err
	}
	var err error
	if p.Limit, err = inFlight(r.Limit); err != nil {
		return nil, err
	}
	names, size := map[string]bool{}, 0
	for _, id := range ids {
		g, err := d.again(ctx, id, r.Request)
		var unfit *graph.Invalid
		if errors.As(err, &unfit) || errors.Is(err, triggers.ErrNotFound) {
			p.Refused[id] = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if size += len(g.Inputs); size > graph.MaxSweepBytes {
			return nil, invalid("max", graph.CodeTooLarge, "the inputs of the first %d of %d dispatches take more than %d MiB together; take fewer at a time", len(p.Dispatches)+1, len(ids), graph.MaxSweepBytes>>20)
		}
		names[g.LatticeName] = true
		p.Dispatches = append(p.Dispatches, g)
	}
	p.Name = madeName("again")
	if len(names) == 1 {
		p.Name = madeName(p.Dispatches[0].LatticeName)
	}
	graph.Together(p.Dispatches, p.Name, p.Limit)
	return p, nil
}

// again is a dispatch of the same lattice with the inputs of an earlier one, changed by r.
func (d *Dispatcher) again(ctx context.Context, id string, r Request) (graph.Dispatch, error) {
	none := graph.Dispatch{}
	parent, err := d.store.Dispatch(ctx, id)
	if err != nil {
		return none, err
	}
	l, err := d.store.Lattice(ctx, parent.LatticeID)
	if err != nil {
		return none, err
	}
	inputs, err := merge(parent, r)
	if err != nil {
		return none, err
	}
	bound, err := l.Bind(inputs)
	if err != nil {
		return none, err
	}
	raw, err := graph.Canonical(bound)
	if err != nil {
		return none, fmt.Errorf("inputs: %w", err)
	}
	r.ParentID = parent.ID
	return r.dispatch(l, raw), nil
}
