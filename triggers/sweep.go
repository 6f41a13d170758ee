package triggers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// maxSwept is how many dispatches one firing makes at most.
const maxSwept = 1000

// sweepRule makes many dispatches of a firing. An expression sees what inputs see.
type sweepRule struct {
	grid  []sweepAxis     // by name, since a spec keeps no order
	list  *graph.Template // nil: none
	rows  []string        // inputs that the list sets, sorted; without those of an expression
	open  bool            // the list may set others: it is an expression
	limit int             // how many run at a time
}

type sweepAxis struct {
	input  string
	values *graph.Template
}

// compileSweep reads the field sweep; nil when it is absent.
func (s *spec) compileSweep(f *Fields, seen graph.Env) *sweepRule {
	if !f.Has("sweep") {
		f.take("sweep")
		return nil
	}
	in := f.sub("sweep")
	if in.raw == nil {
		return nil // it is no object
	}
	r := &sweepRule{limit: int(in.Int("max_in_flight", graph.DefaultInFlight, 1, graph.MaxSweep))}
	grid := in.Object("grid")
	for _, name := range slices.Sorted(maps.Keys(grid)) {
		if t := s.compileList(in, "grid."+name, grid[name], seen, "the list of its values, or an expression that gives it; what all have goes to inputs"); t != nil {
			r.grid = append(r.grid, sweepAxis{name, t})
		}
	}
	if v, given := in.take("list"); given {
		r.list = s.compileList(in, "list", v, seen, "a list of objects of inputs, or an expression that gives it")
		r.names(in, v)
	}
	in.rest()
	if len(grid) == 0 && !in.Has("list") {
		in.Refuse("grid", graph.CodeMissing, "give a grid or a list of inputs")
	}
	return r
}

// compileList compiles what has to give a list; nil when it never does.
func (s *spec) compileList(in *Fields, path string, v any, seen graph.Env, want string) *graph.Template {
	t, err := graph.CompileTemplate(v, seen)
	if err != nil {
		s.refuse(in, path, err)
		return nil
	}
	if typ := t.Type(); typ != graph.Array && typ != graph.Any {
		in.Refuse(path, graph.CodeWrongType, "must be %s", want)
		return nil
	}
	in.Set(path, v, FromTrigger)
	return t
}

// names notes the inputs that the objects of a list set.
func (r *sweepRule) names(in *Fields, v any) {
	rows, ok := v.([]any)
	if r.open = !ok; !ok {
		return
	}
	for i, row := range rows {
		switch row := row.(type) {
		case map[string]any:
			r.rows = slices.AppendSeq(r.rows, maps.Keys(row))
		case string:
			r.open = true // an expression, if it is anything
		default:
			in.Refuse(fmt.Sprintf("list[%d]", i), graph.CodeWrongType, "must be an object of inputs, not %s", describe(row))
		}
	}
	slices.Sort(r.rows)
	r.rows = slices.Compact(r.rows)
}

// inputs are the names that are known to be set, by the path of what sets them.
func (r *sweepRule) inputs() map[string]string {
	paths := map[string]string{}
	if r == nil {
		return paths
	}
	for _, a := range r.grid {
		paths[a.input] = "sweep.grid." + a.input
	}
	for _, name := range r.rows {
		paths[name] = "sweep.list"
	}
	return paths
}

// eval computes the sweep of some events.
func (r *sweepRule) eval(vars map[string]any) (graph.Sweep, error) {
	var s graph.Sweep
	for _, a := range r.grid {
		v, err := a.values.Eval(vars)
		if err != nil {
			return s, fmt.Errorf("grid.%s: %w", a.input, err)
		}
		values, ok := v.([]any)
		if !ok {
			return s, fmt.Errorf("grid.%s: must be a list of values, not %s", a.input, describe(v))
		}
		s.Grid = append(s.Grid, graph.Axis{Input: a.input, Values: values})
	}
	if r.list == nil {
		return s, nil
	}
	v, err := r.list.Eval(vars)
	if err != nil {
		return s, fmt.Errorf("list: %w", err)
	}
	rows, ok := v.([]any)
	if !ok {
		return s, fmt.Errorf("list: must be a list of objects of inputs, not %s", describe(v))
	}
	s.List = make([]map[string]any, len(rows))
	for i, row := range rows {
		if s.List[i], ok = row.(map[string]any); !ok {
			return s, fmt.Errorf("list[%d]: must be an object of inputs, not %s", i, describe(row))
		}
	}
	return s, nil
}

// fixed is the part of the sweep that doesn't depend on an event.
func (r *sweepRule) fixed() graph.Sweep {
	part := sweepRule{}
	for _, a := range r.grid {
		if _, constant := a.values.Constant(); constant {
			part.grid = append(part.grid, a)
		}
	}
	if r.list != nil {
		if _, constant := r.list.Constant(); constant {
			part.list = r.list
		}
	}
	s, err := part.eval(nil)
	if err != nil {
		return graph.Sweep{} // it was refused when it was compiled
	}
	return s
}

// checkSweep finds what can be found of a sweep before the first event. base are the
// inputs that are known by then.
func (p *plan) checkSweep(f *Fields, base map[string]any) {
	s := p.sweep.fixed()
	if len(s.Grid) == 0 && s.List == nil {
		return
	}
	given := make(map[string]any, len(p.names))
	for _, name := range p.names {
		given[name] = nil
	}
	err := s.Check(given, maxSwept)
	if err == nil {
		_, err = s.Bind(p.lattice, base)
	}
	var invalid *graph.Invalid
	if !errors.As(err, &invalid) {
		return
	}
	for _, problem := range invalid.Problems {
		path := problem.Path
		switch {
		case problem.Code == graph.CodeMissingInput:
			continue // an expression gives it, or it was refused
		case path == "":
			path = "sweep"
		case !strings.HasPrefix(path, "inputs."):
			path = "sweep." + path
		}
		f.Refuse(path, problem.Code, "%s", problem.Message)
	}
}

// swept makes the dispatches of a sweep out of what one of them would be, with the
// inputs that all have.
func (p *plan) swept(one graph.Dispatch, vars, inputs map[string]any) ([]graph.Dispatch, error) {
	s, err := p.sweep.eval(vars)
	if err != nil {
		return nil, &rejection{rejectSweep, err.Error()}
	}
	given := make(map[string]any, len(p.names))
	for _, name := range p.names {
		given[name] = inputs[name]
	}
	if err := s.Check(given, maxSwept); err != nil {
		return nil, &rejection{rejectSweep, err.Error()}
	}
	bound, err := s.Bind(p.lattice, inputs)
	if err != nil {
		return nil, &rejection{rejectInputs, err.Error()}
	}
	ds := make([]graph.Dispatch, len(bound))
	for i, b := range bound {
		if ds[i], err = identified(one); err != nil {
			return nil, err
		}
		ds[i].Inputs = b.Inputs
	}
	graph.Together(ds, sweepName(one.Trigger, ds[0].ID), p.sweep.limit)
	return ds, nil
}

// sweepName is the label of what one firing makes: the trigger, the time, and the end of
// an id, since several may fire in a second.
func sweepName(trigger, id string) string {
	return fmt.Sprintf("%s-%s-%s", trigger, time.Now().UTC().Format("20060102-150405"), id[len(id)-6:])
}
