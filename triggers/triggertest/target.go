package triggertest

import (
	"context"
	"fmt"
	"strconv"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Dispatch implements triggers.Ledger.
func (l *Ledger) Dispatch(_ context.Context, idOrNumber string) (d graph.Dispatch, err error) {
	err = l.begin("Dispatch")
	defer l.end("Dispatch", &err)
	if err != nil {
		return d, err
	}
	for _, d := range l.dispatches {
		if d.ID == idOrNumber || strconv.FormatInt(d.Number, 10) == idOrNumber {
			return d, nil
		}
	}
	return d, fmt.Errorf("dispatch %s: %w", idOrNumber, triggers.ErrNotFound)
}

// Lattice implements triggers.Ledger.
func (l *Ledger) Lattice(_ context.Context, idOrName string) (lattice *graph.Lattice, err error) {
	err = l.begin("Lattice")
	defer l.end("Lattice", &err)
	if err != nil {
		return nil, err
	}
	if lattice := l.lattices[idOrName]; lattice != nil {
		return lattice, nil
	}
	return nil, fmt.Errorf("lattice %s: %w", idOrName, triggers.ErrNotFound)
}
