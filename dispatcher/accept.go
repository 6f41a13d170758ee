package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Accept stores a new dispatch; when it returns nil it will run, whatever happens. The
// error is a *graph.Invalid when the request doesn't fit its lattice, or
// triggers.ErrNotFound.
func (d *Dispatcher) Accept(ctx context.Context, r Request) (graph.Dispatch, []graph.Warning, error) {
	if len(r.Unset) > 0 {
		return graph.Dispatch{}, nil, invalid("unset", graph.CodeBadValue,
			"there is no earlier dispatch whose inputs could be unset; use redispatch")
	}
	return d.accept(ctx, r, r.Inputs)
}

func (d *Dispatcher) accept(ctx context.Context, r Request, inputs map[string]any) (graph.Dispatch, []graph.Warning, error) {
	none := graph.Dispatch{}
	if err := checkText(r); err != nil {
		return none, nil, err
	}
	l, fresh, err := d.lattice(ctx, r)
	if err != nil {
		return none, nil, err
	}
	effective, err := l.Bind(inputs)
	if err != nil {
		return none, nil, err
	}
	raw, err := graph.Canonical(effective)
	if err != nil {
		return none, nil, fmt.Errorf("inputs: %w", err)
	}
	g := graph.Dispatch{
		ID: newID(), LatticeID: l.ID, LatticeName: l.Name, Status: graph.Pending, Inputs: raw,
		Labels: r.Labels, Note: r.Note, Owner: r.Owner, CreatedBy: r.CreatedBy, RunAs: r.RunAs,
		ParentID: r.ParentID, Reuse: r.Reuse, Total: len(l.Electrons),
	}
	if r.DisableRun {
		g.Status = graph.New
	}
	warnings := append(d.unknownExecutors(l), missingPaths(l, effective)...)
	if r.Warned != nil {
		r.Warned(warnings)
	}
	b := d.begin(g, l)
	if b != nil {
		defer b.drop() // unless it begins
		g.First = b.starts
	}
	stored, err := d.insert(ctx, g, l, r.Document != nil && !fresh)
	if err != nil && !b.landed(ctx, &stored) {
		return none, nil, err
	}
	d.count.accepted.Add(1)
	d.log.Info().Str(keyDispatch, stored.ID).Str(keyStatus, string(stored.Status)).
		Str(keyLattice, l.Name).Msg("dispatch accepted")
	switch {
	case b != nil:
		b.begun(stored)
	case stored.Status == graph.Pending:
		d.admit(stored)
	}
	return stored, warnings, nil
}

// insert stores g. known: its lattice came inline and was stored before, and may have
// been removed since.
func (d *Dispatcher) insert(ctx context.Context, g graph.Dispatch, l *graph.Lattice, known bool) (graph.Dispatch, error) {
	stored, err := d.store.InsertDispatch(ctx, g)
	if !known || !errors.Is(err, triggers.ErrNotFound) {
		return stored, err
	}
	if _, err := d.store.InsertLattice(ctx, l, false, g.Owner); err != nil {
		return graph.Dispatch{}, err
	}
	return d.store.InsertDispatch(ctx, g)
}

// unknownExecutors warns of electrons that nothing here can run yet.
func (d *Dispatcher) unknownExecutors(l *graph.Lattice) (ws []graph.Warning) {
	told := map[string]bool{}
	for i := range l.Electrons {
		name := l.Electrons[i].Executor
		if d.execs[name] != nil || told[name] {
			continue
		}
		told[name] = true
		ws = append(ws, graph.Warning{Code: "unknown_executor", Message: fmt.Sprintf(
			"electron %s waits until there is an executor named %s in the configuration%s",
			l.Electrons[i].Name, name, didYouMean(name, names(d.execs)))})
	}
	return ws
}

// missingPaths warns of files that should be there and can't be seen. It is no error:
// what the daemon may see and what the electrons may see are different things.
func missingPaths(l *graph.Lattice, inputs map[string]any) (ws []graph.Warning) {
	for _, in := range l.Inputs {
		path, ok := inputs[in.Name].(string)
		if !ok || (in.Format != "path" && in.Format != "directory") {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			ws = append(ws, graph.Warning{
				Code: "path_missing", Message: fmt.Sprintf("inputs.%s can't be seen by the daemon: %v", in.Name, err),
			})
		}
	}
	return ws
}
