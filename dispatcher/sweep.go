package dispatcher

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"sync"
	"time"

	"github.com/latticed/latticed/graph"
)

// SweepRequest asks for many dispatches of one lattice that differ in some inputs.
type SweepRequest struct {
	Request // of each of them; its Inputs are what all have

	Parent string // id or number of the dispatch that is run again; empty: none
	Over   graph.Sweep
	Name   string // of the label sweep; empty: made of the lattice and the time
	Limit  int    // how many run at a time; 0: graph.DefaultInFlight
}

// SweepPlan is a sweep that is checked and not stored yet.
type SweepPlan struct {
	Name       string
	Limit      int
	Dispatches []graph.Dispatch // in order; numbers come with Sweep
	Set        []map[string]any // what the sweep sets of each of them
	Warnings   []graph.Warning

	exact  bool           // the name has to be this one
	inline *graph.Lattice // to be stored before; nil: it is
}

// sweepName keeps names short and easy to type.
var sweepName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`) })

// PlanSweep makes the dispatches of a sweep and stores nothing. The error is a
// *graph.Invalid that names every combination which doesn't fit, or triggers.ErrNotFound.
func (d *Dispatcher) PlanSweep(ctx context.Context, r SweepRequest) (*SweepPlan, error) {
	p := &SweepPlan{Name: r.Name, Limit: r.Limit, exact: r.Name != ""}
	if err := p.check(r); err != nil {
		return nil, err
	}
	l, inputs, err := d.sweepTarget(ctx, &r, p)
	if err != nil {
		return nil, err
	}
	bound, err := r.Over.Bind(l, inputs)
	if err != nil {
		return nil, err
	}
	if p.Name == "" {
		p.Name = madeName(l.Name)
	}
	p.Dispatches, p.Set = make([]graph.Dispatch, len(bound)), make([]map[string]any, len(bound))
	for i, b := range bound {
		p.Set[i] = b.Set
		p.Dispatches[i] = r.dispatch(l, b.Inputs)
	}
	graph.Together(p.Dispatches, p.Name, p.Limit)
	p.Warnings = append(d.unknownExecutors(l), missingIn(l, inputs, bound)...)
	return p, nil
}

// check finds what is wrong with the request itself, and fills in its limit.
func (p *SweepPlan) check(r SweepRequest) error {
	switch _, labelled := r.Labels[graph.SweepLabel]; {
	case p.exact && !sweepName().MatchString(p.Name):
		return invalid("name", graph.CodeBadName, "%q is no name of a sweep: use up to 128 of A-Z a-z 0-9 . _ / -, beginning with a letter or digit", p.Name)
	case labelled:
		return invalid("labels."+graph.SweepLabel, graph.CodeBadValue, "is what the sweep is called; give it a name instead")
	}
	var err error
	if p.Limit, err = inFlight(p.Limit); err != nil {
		return err
	}
	if err := checkText(r.Request); err != nil {
		return err
	}
	return r.Over.Check(r.Inputs, graph.MaxSweep)
}

// inFlight is how many of a sweep run at a time.
func inFlight(n int) (int, error) {
	switch {
	case n == 0:
		return graph.DefaultInFlight, nil
	case n < 0 || n > graph.MaxSweep:
		return 0, invalid("max_in_flight", graph.CodeBadValue, "must be between 1 and %d, not %d", graph.MaxSweep, n)
	}
	return n, nil
}

// madeName is the name of a sweep that nobody has named.
func madeName(of string) string { return of + "-" + time.Now().UTC().Format("20060102-150405") }

// sweepTarget finds what a sweep runs and the inputs that all of it have.
func (d *Dispatcher) sweepTarget(ctx context.Context, r *SweepRequest, p *SweepPlan) (*graph.Lattice, map[string]any, error) {
	inputs := r.Inputs
	switch {
	case r.Parent != "" && (r.Document != nil || r.Lattice != ""):
		return nil, nil, invalid("lattice", graph.CodeBadValue, "give dispatch_id or lattice, not both")
	case r.Parent != "":
		parent, err := d.store.Dispatch(ctx, r.Parent)
		if err != nil {
			return nil, nil, err
		}
		if inputs, err = merge(parent, r.Request); err != nil {
			return nil, nil, err
		}
		r.Lattice, r.ParentID = parent.LatticeID, parent.ID
	case r.Document != nil && r.Lattice == "":
		l, err := graph.Parse(r.Document)
		p.inline = l
		return l, inputs, err
	}
	l, _, err := d.lattice(ctx, r.Request)
	return l, inputs, err
}

// dispatch is one of many that a request makes.
func (r Request) dispatch(l *graph.Lattice, inputs []byte) graph.Dispatch {
	return graph.Dispatch{
		ID: newID(), LatticeID: l.ID, LatticeName: l.Name, Status: graph.Pending, Inputs: inputs,
		Labels: r.Labels, Note: r.Note, Owner: r.Owner, CreatedBy: r.CreatedBy, RunAs: r.RunAs,
		ParentID: r.ParentID, Reuse: r.Reuse, Total: len(l.Electrons),
	}
}

// Sweep stores what was planned, all or nothing; when it returns nil all of it will run,
// whatever happens. It returns the dispatches with their numbers.
func (d *Dispatcher) Sweep(ctx context.Context, p *SweepPlan) ([]graph.Dispatch, error) {
	if p.inline != nil {
		if _, err := d.store.InsertLattice(ctx, p.inline, false, p.Dispatches[0].Owner); err != nil {
			return nil, err
		}
	}
	ds, err := d.store.InsertSweep(ctx, p.Dispatches, p.exact)
	if err != nil {
		return nil, err
	}
	d.count.accepted.Add(int64(len(ds)))
	d.log.Info().Str(keySweep, ds[0].Labels[graph.SweepLabel]).Int("count", len(ds)).Int64("first", ds[0].Number).
		Msg("sweep accepted")
	d.Wake()
	return ds, nil
}

// manyWarnings is how many files of a sweep are named that can't be seen.
const manyWarnings = 10

// missingIn warns of files that should be there, each once.
func missingIn(l *graph.Lattice, base map[string]any, bound []graph.Bound) (ws []graph.Warning) {
	looked, missing := map[string]bool{}, 0
	for _, b := range bound {
		inputs := maps.Clone(base)
		if inputs == nil {
			inputs = map[string]any{}
		}
		maps.Copy(inputs, b.Set)
		for _, in := range l.Inputs { // look at each value once, whatever it is combined with
			v, _ := inputs[in.Name].(string)
			if key := in.Name + "\x00" + v; v == "" || looked[key] {
				delete(inputs, in.Name)
			} else {
				looked[key] = true
			}
		}
		for _, w := range missingPaths(l, inputs) {
			if missing++; missing <= manyWarnings {
				ws = append(ws, w)
			}
		}
	}
	if missing > manyWarnings {
		ws = append(ws, graph.Warning{Code: "path_missing", Message: fmt.Sprintf("%d more files can't be seen by the daemon", missing-manyWarnings)})
	}
	return ws
}
