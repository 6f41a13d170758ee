package dispatcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/latticed/latticed/graph"
)

// The actions of a plan.
const (
	ActionReuse   = "reuse"
	ActionRun     = "run"
	ActionSkip    = "skip"    // its condition is false, or needs data of such a one
	ActionDepends = "depends" // on what electrons return that run before it
)

// Plan says what a redispatch would do.
type Plan struct {
	Lattice   *graph.Lattice
	Inputs    json.RawMessage // effective
	Electrons []Planned       // in the order of the lattice
	Warnings  []graph.Warning
}

// Planned is what becomes of one electron if all that run complete.
type Planned struct {
	Name   string
	Action string
	Reason string
}

// PlanRedispatch says what Redispatch would do, and stores nothing. It refuses what
// Redispatch refuses.
func (d *Dispatcher) PlanRedispatch(ctx context.Context, id string, r Request) (Plan, error) {
	parent, inputs, err := d.complete(ctx, id, &r)
	if err != nil {
		return Plan{}, err
	}
	if err := checkText(r); err != nil {
		return Plan{}, err
	}
	l, err := d.draft(ctx, r)
	if err != nil {
		return Plan{}, err
	}
	effective, err := l.Bind(inputs)
	if err != nil {
		return Plan{}, inherited(err, parent, r)
	}
	p := Plan{Lattice: l, Warnings: append(d.unknownExecutors(l), missingPaths(l, effective)...)}
	if p.Inputs, err = graph.Canonical(effective); err != nil {
		return Plan{}, fmt.Errorf("inputs: %w", err)
	}
	g := graph.Dispatch{ID: newID(), Number: parent.Number + 1, ParentID: parent.ID, Inputs: p.Inputs, Labels: r.Labels}
	g.RootID = g.ID
	f := foresight{all: make([]Planned, len(l.Electrons)), own: bytes.Contains(l.Document, []byte("dispatch"))}
	if f.v, err = newValues(ctx, d.store, g, l); err != nil {
		return Plan{}, err
	}
	if f.r, err = newReuse(ctx, d, parent.ID, l); err != nil {
		return Plan{}, err
	}
	if !r.Reuse {
		f.r.nothing = "reuse of previous results is not asked for"
	}
	for _, i := range inOrder(l) {
		if err := ctx.Err(); err != nil {
			return Plan{}, err
		}
		f.all[i].Name = l.Electrons[i].Name
		if f.all[i].Action, f.all[i].Reason, err = f.foresee(i); err != nil {
			return Plan{}, err
		}
	}
	p.Electrons = f.all
	return p, nil
}

// inOrder lists electrons after those that they need.
func inOrder(l *graph.Lattice) []int {
	p := graph.NewProgress(l)
	next := p.Ready()
	for at := 0; at < len(next); at++ {
		p.Start(next[at])
		ready, _ := p.End(next[at], graph.Completed)
		next = append(next, ready...)
	}
	return next
}

// foresight follows a dispatch that doesn't exist.
type foresight struct {
	r   *reuse
	v   *values
	all []Planned
	own bool // expressions may look at the dispatch itself
}

// foresee plans electron i after all that it needs.
func (f *foresight) foresee(i int) (action, reason string, err error) {
	spec := &f.r.l.Electrons[i]
	var open, unsure string // what it needs data of, or waits for, that isn't known
	for _, n := range spec.Needs {
		name := f.r.l.Electrons[n.Electron].Name
		switch action := f.all[n.Electron].Action; {
		case action == ActionSkip && n.Data && !n.Optional:
			return ActionSkip, "it needs data of " + name + ", which is skipped", nil
		case n.Data && (action == ActionRun || action == ActionDepends) && open == "":
			open = name
		case action == ActionDepends && unsure == "":
			unsure = name
		}
	}
	if open != "" {
		return f.unknown(i, open)
	}
	ok, err := f.v.condition(i)
	field := ""
	if err == nil && spec.If != nil {
		field = f.unborn(func() (any, error) { return f.v.condition(i) })
	}
	switch {
	case err != nil:
		return failing(err)
	case field != "":
		return ActionDepends, "on dispatch." + field + ", which is unknown until it runs", nil
	case !ok:
		return ActionSkip, "its condition is false", nil
	}
	if field = f.unborn(func() (any, error) { return f.v.resolved(i) }); field != "" {
		if d, err := f.r.previous(f.v.ctx, i); err != nil || d.why != "" {
			return ActionRun, d.why, err
		}
		return ActionRun, "dispatch." + field + " is unknown until it runs", nil
	}
	d, err := f.r.decide(f.v, i, f)
	switch {
	case err != nil:
		return failing(err)
	case d.why == "" && len(d.paths) > 0:
		f.r.looked(&d, f.r.looks.at(d.paths, d.touched))
	}
	switch {
	case d.why != "":
		return ActionRun, d.why, nil
	case unsure != "":
		return ActionDepends, "it waits for " + unsure + ": if that runs again, so does it", nil
	}
	from, _, err := f.r.reused(d)
	f.v.left[i] = outcomeOf(d.prev)
	return ActionReuse, from.Why, err
}

// unborn is the field of the dispatch that decides what look returns, of those that it
// hasn't before it is stored; empty when there is none.
func (f *foresight) unborn(look func() (any, error)) string {
	if !f.own {
		return ""
	}
	was, err := look()
	if err != nil {
		return "" // which is said of it, whatever the number is
	}
	for _, field := range []string{"number", "id", "root_id"} {
		kept := f.v.dispatch[field]
		others := []any{newID()}
		if number, ok := kept.(int64); ok {
			others = []any{number + 1, number + 1_000_003}
		}
		for _, other := range others {
			f.v.dispatch[field] = other
			now, err := look()
			f.v.dispatch[field] = kept
			if err != nil || !reflect.DeepEqual(was, now) {
				return field
			}
		}
	}
	return ""
}

// failing plans an electron whose expressions fail; what could not be read is an error.
func failing(err error) (action, reason string, _ error) {
	if mayPass(err) || errors.Is(err, context.Canceled) {
		return "", "", err
	}
	return ActionRun, "it will fail: " + err.Error(), nil
}

func (f *foresight) ranAgain(i int) bool { return f.all[i].Action == ActionRun }
func (f *foresight) skipped(i int) bool  { return f.all[i].Action == ActionSkip }

// unknown plans an electron that needs data which isn't there yet: it runs if there is
// another reason.
func (f *foresight) unknown(i int, open string) (action, reason string, err error) {
	d, err := f.r.previous(f.v.ctx, i)
	if err != nil {
		return "", "", err
	}
	spec := &f.r.l.Electrons[i]
	depends := "on what " + open + " returns"
	if spec.If != nil {
		return ActionDepends, depends, nil // it may be skipped
	}
	if d.why == "" {
		d.why = f.r.l.FixedDifferences(i, graph.Compared{Before: d.was, Lattice: f.r.before})
	}
	if at := slices.IndexFunc(spec.Needs, func(n graph.Need) bool { return n.Order && f.ranAgain(n.Electron) }); d.why == "" && at >= 0 {
		d.why = "it waits for " + f.r.l.Electrons[spec.Needs[at].Electron].Name + ", which ran again"
	}
	if d.why != "" {
		return ActionRun, d.why, nil
	}
	return ActionDepends, depends, nil
}
