package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// Redispatch stores a new dispatch with the inputs of an earlier one (id or number),
// changed by r. The earlier one may be in any state and is not waited for.
func (d *Dispatcher) Redispatch(ctx context.Context, id string, r Request) (graph.Dispatch, []graph.Warning, error) {
	parent, inputs, err := d.complete(ctx, id, &r)
	if err != nil {
		return graph.Dispatch{}, nil, err
	}
	g, warnings, err := d.accept(ctx, r, inputs)
	return g, warnings, inherited(err, parent, r)
}

// complete adds the lattice of the parent to a request for a redispatch, and returns its
// inputs.
func (d *Dispatcher) complete(ctx context.Context, id string, r *Request) (graph.Dispatch, map[string]any, error) {
	parent, err := d.store.Dispatch(ctx, id)
	if err != nil {
		return parent, nil, err
	}
	inputs, err := merge(parent, *r)
	if err != nil {
		return parent, nil, err
	}
	if r.Document == nil && r.Lattice == "" {
		r.Lattice = parent.LatticeID
	}
	r.ParentID = parent.ID
	return parent, inputs, nil
}

// inherited says of inputs that the lattice does not know, and that nobody gave here,
// where they come from.
func inherited(err error, parent graph.Dispatch, r Request) error {
	var found *graph.Invalid
	if !errors.As(err, &found) {
		return err
	}
	ps := slices.Clone(found.Problems)
	for i := range ps {
		name, ok := strings.CutPrefix(ps[i].Path, "inputs.")
		if _, given := r.Inputs[name]; ok && !given && ps[i].Code == graph.CodeUnknownName {
			ps[i].Message += fmt.Sprintf("; it is one of dispatch %d: unset it", parent.Number)
		}
	}
	return &graph.Invalid{Problems: ps}
}

// merge lays r's inputs over the effective inputs of parent, by top-level key.
func merge(parent graph.Dispatch, r Request) (map[string]any, error) {
	inputs := map[string]any{}
	if len(parent.Inputs) > 0 {
		v, err := graph.DecodeValue(parent.Inputs)
		if err != nil {
			return nil, fmt.Errorf("inputs of dispatch %s: %w", parent.ID, err)
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("inputs of dispatch %s are not an object", parent.ID)
		}
		inputs = m
	}
	for _, name := range r.Unset {
		if _, set := r.Inputs[name]; set {
			return nil, invalid("unset", graph.CodeBadValue, "input %s is set and unset at once", name)
		}
		if _, known := inputs[name]; !known {
			return nil, invalid("unset", graph.CodeUnknownName, "dispatch %d has no input %s to unset%s",
				parent.Number, name, didYouMean(name, names(inputs)))
		}
		delete(inputs, name)
	}
	for name, v := range r.Inputs {
		inputs[name] = v // null is a value
	}
	return inputs, nil
}
