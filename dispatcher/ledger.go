package dispatcher

import (
	"context"
	"slices"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// ledger hands what triggers make straight to the window.
type ledger struct {
	triggers.Ledger
	d *Dispatcher
}

// Ledger returns l as triggers are to use it: dispatches of theirs for which there is
// room begin in the transaction of their firing, and nobody has to wake the dispatcher.
func (d *Dispatcher) Ledger(l triggers.Ledger) triggers.Ledger { return &ledger{l, d} }

// Record implements triggers.Ledger.
func (l *ledger) Record(ctx context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	f := l.d.firing(ctx, &ds)
	defer f.drop()
	rec, err := l.Ledger.Record(ctx, id, revision, b, ds)
	f.made(ctx, rec.Dispatches, err)
	return rec, err
}

// Fire implements triggers.Ledger.
func (l *ledger) Fire(ctx context.Context, id string, revision int, ds []triggers.Decision) (triggers.Fired, error) {
	f := l.d.firing(ctx, &ds)
	defer f.drop()
	fired, err := l.Ledger.Fire(ctx, id, revision, ds)
	f.made(ctx, fired.Dispatches, err)
	return fired, err
}

// firing is what decisions let begin, by dispatch. Until they are stored it is as if it
// were not there.
type firing struct {
	d     *Dispatcher
	begin map[string]*beginning
}

// firing lets dispatches of decisions begin with them as long as there is room. Those of
// the caller stay as they are.
func (d *Dispatcher) firing(ctx context.Context, ds *[]triggers.Decision) *firing {
	f := &firing{d: d}
	for i := range *ds {
		for j, g := range (*ds)[i].Dispatches {
			b := d.beginOf(ctx, g)
			if b == nil {
				return f // what follows doesn't overtake it
			}
			if f.begin == nil {
				f.begin = map[string]*beginning{}
				*ds = slices.Clone(*ds)
			}
			f.begin[g.ID] = b
			own := slices.Clone((*ds)[i].Dispatches)
			own[j].First = b.starts
			(*ds)[i].Dispatches = own
		}
	}
	return f
}

// beginOf is begin for a dispatch whose lattice isn't at hand.
func (d *Dispatcher) beginOf(ctx context.Context, g graph.Dispatch) *beginning {
	if g.ID == "" || g.Held || g.Sweep != 0 || !d.anySlot() {
		return nil
	}
	l, err := d.store.Lattice(ctx, g.LatticeID)
	if err != nil {
		return nil // whoever walks it will find out
	}
	g.Status = graph.Pending
	return d.begin(g, l)
}

// made takes up what was stored: what has begun, and what waits.
func (f *firing) made(ctx context.Context, stored []graph.Dispatch, err error) {
	if err != nil {
		for _, b := range f.begin {
			if g := (graph.Dispatch{}); b.landed(ctx, &g) {
				b.begun(g)
			}
		}
		return
	}
	for _, g := range stored {
		if b := f.begin[g.ID]; b != nil {
			b.begun(g)
		} else if !g.Held {
			f.d.admit(g)
		}
	}
}

func (f *firing) drop() {
	for _, b := range f.begin {
		b.drop()
	}
}
