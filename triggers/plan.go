package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// plan is a trigger made ready to run: its spec compiled, its target resolved.
type plan struct {
	*spec
	parent  *graph.Dispatch // of a dispatch target
	inputs  map[string]any  // the parent's effective inputs; nil for a lattice
	lattice *graph.Lattice  // of today, when the target follows a name
	follows string          // the name it follows, or empty
}

// newPlan compiles t.Spec and reads its target; whether its inputs fit that is left to
// fit. Bad content is *graph.Invalid; other errors come from the ledger. The target fields of t are filled in when they are
// empty, which pins a lattice name.
func newPlan(ctx context.Context, l Ledger, kinds Kinds, t *Trigger) (*plan, error) {
	s, err := decodeSpec(t.Spec, kinds)
	if err != nil {
		return nil, err
	}
	if t.Spec, err = filled(t.Spec, s.made.Fill); err != nil {
		return nil, err
	}
	p := &plan{spec: s}
	return p, p.resolve(ctx, l, t)
}

// fit tells whether any event can become a dispatch, as far as that can be told before;
// the error is *graph.Invalid.
func (p *plan) fit() error {
	f := newFields(nil)
	p.checkInputs(f)
	return f.err()
}

// filled is a spec with what its kind took from this machine.
func filled(raw json.RawMessage, fill map[string]any) (json.RawMessage, error) {
	if len(fill) == 0 {
		return raw, nil
	}
	object, err := decodeObject(raw)
	if err != nil {
		return nil, err
	}
	for field, v := range fill {
		object[field] = v
	}
	out, err := graph.Canonical(object)
	if err != nil {
		return nil, fmt.Errorf("write the spec: %w", err)
	}
	return out, nil
}

// UnknownLatticeError is a *graph.Invalid about a lattice that there isn't.
type UnknownLatticeError struct {
	*graph.Invalid
	Name string
}

// Unwrap makes it a *graph.Invalid.
func (e *UnknownLatticeError) Unwrap() error { return e.Invalid }

// invalidField is one problem as an error.
func invalidField(field, code, format string, args ...any) error {
	return &graph.Invalid{Problems: []graph.Problem{{Path: field, Code: code, Message: fmt.Sprintf(format, args...)}}}
}

func (p *plan) resolve(ctx context.Context, l Ledger, t *Trigger) error {
	if p.dispatch != "" {
		return p.resolveDispatch(ctx, l, t)
	}
	name := p.spec.lattice
	if followed, ok := strings.CutSuffix(name, latest); ok {
		p.follows, name = followed, followed
	} else if t.LatticeID != "" {
		name = t.LatticeID // pinned before
	}
	lattice, err := l.Lattice(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return &UnknownLatticeError{Name: strings.TrimSuffix(p.spec.lattice, latest), Invalid: &graph.Invalid{Problems: []graph.Problem{{
			Path: "lattice", Code: graph.CodeUnknownName, Message: fmt.Sprintf("there is no lattice %s; store it first", show(p.spec.lattice)),
		}}}}
	}
	if err != nil {
		return fmt.Errorf("read lattice %s: %w", name, err)
	}
	p.lattice = lattice
	t.DispatchID, t.LatticeID, t.LatticeName = "", lattice.ID, lattice.Name
	if p.follows != "" {
		t.LatticeID, t.LatticeName = "", p.follows
	}
	return nil
}

func (p *plan) resolveDispatch(ctx context.Context, l Ledger, t *Trigger) error {
	id := t.DispatchID
	if id == "" {
		id = p.dispatch
	}
	d, err := l.Dispatch(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return invalidField("dispatch_id", graph.CodeUnknownName, "there is no dispatch %s", show(p.dispatch))
	}
	if err != nil {
		return fmt.Errorf("read dispatch %s: %w", id, err)
	}
	if p.lattice, err = l.Lattice(ctx, d.LatticeID); err != nil {
		return fmt.Errorf("read lattice %s of dispatch %s: %w", d.LatticeID, id, err)
	}
	v, err := graph.DecodeValue(d.Inputs)
	if err != nil && len(d.Inputs) > 0 {
		return fmt.Errorf("read the inputs of dispatch %s: %w", id, err)
	}
	p.inputs, _ = v.(map[string]any)
	p.parent = &d
	t.DispatchID, t.LatticeID, t.LatticeName = d.ID, "", ""
	return nil
}

// trim lets go of what a running trigger has no use for.
func (p *plan) trim() {
	if p != nil {
		p.settings, p.made.Event = nil, nil
	}
}

// refresh reads the lattice again when the target follows its name, and tells whether
// it is another one now.
func (p *plan) refresh(ctx context.Context, l Ledger) (changed bool, err error) {
	if p.follows == "" {
		return false, nil
	}
	lattice, err := l.Lattice(ctx, p.follows)
	if err != nil {
		return false, fmt.Errorf("read lattice %s: %w", p.follows, err)
	}
	changed = lattice.ID != p.lattice.ID
	p.lattice = lattice
	return changed, nil
}

// checkInputs finds what can be found before the first event: inputs the lattice
// doesn't have, required ones that nobody gives, fixed values that don't fit.
func (p *plan) checkInputs(f *Fields) {
	known := make([]string, len(p.lattice.Inputs))
	for i, in := range p.lattice.Inputs {
		known[i] = in.Name
	}
	good, allFixed := true, len(p.fixed) == len(p.spec.inputs)
	for _, name := range p.names {
		if !slices.Contains(known, name) {
			good = false
			f.Refuse("inputs."+name, graph.CodeUnknownName, "lattice %s has no input %s%s", p.lattice.Name, show(name), didYouMean(name, known))
		}
	}
	swept := p.sweep.inputs()
	for _, name := range slices.Sorted(maps.Keys(swept)) {
		if !slices.Contains(known, name) {
			good = false
			f.Refuse(swept[name], graph.CodeUnknownName, "lattice %s has no input %s%s", p.lattice.Name, show(name), didYouMean(name, known))
		}
	}
	for _, in := range p.lattice.Inputs {
		_, mapped := p.spec.inputs[in.Name]
		if _, by := swept[in.Name]; by || p.sweep != nil && p.sweep.open {
			mapped = true
		}
		_, inherited := p.inputs[in.Name]
		if t := p.spec.inputs[in.Name]; t != nil && !allFixed && !fits(t.Type(), in.Type) {
			good = false
			f.Refuse("inputs."+in.Name, graph.CodeInput, "lattice %s takes %s here, and this is always %s: it would reject every event",
				p.lattice.Name, typeWord(graph.Type(in.Type)), typeWord(t.Type()))
		}
		if in.Required && !mapped && !inherited {
			good = false
			f.Refuse("inputs."+in.Name, graph.CodeMissingInput, "lattice %s needs the input %s: map it from the event, or give a value", p.lattice.Name, in.Name)
		}
	}
	if !good {
		return
	}
	// What doesn't depend on an event and doesn't fit now never will.
	if !allFixed {
		_, err := p.lattice.Bind(p.fixed)
		if err = given(err); err != nil {
			noteAt(f, "", err, "")
		} else if p.sweep != nil {
			p.checkSweep(f, p.fixed)
		}
		return
	}
	inputs := maps.Clone(p.inputs)
	if inputs == nil {
		inputs = map[string]any{}
	}
	maps.Copy(inputs, p.fixed)
	if p.sweep != nil {
		p.checkSweep(f, inputs)
		return
	}
	if _, err := p.lattice.Bind(inputs); err != nil {
		noteAt(f, "", err, "")
	}
}

// given leaves out of what is wrong with some inputs that others are missing; nil when
// nothing else is.
func given(err error) error {
	var invalid *graph.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	wrong := slices.DeleteFunc(slices.Clone(invalid.Problems), func(p graph.Problem) bool { return p.Code == graph.CodeMissingInput })
	if len(wrong) == 0 {
		return nil
	}
	return &graph.Invalid{Problems: wrong}
}

// effective lists every setting with its origin, the inputs of the target included.
func (p *plan) effective() []Setting {
	settings := slices.Clone(p.settings)
	for _, in := range p.lattice.Inputs {
		if _, mapped := p.spec.inputs[in.Name]; mapped {
			continue
		}
		if v, ok := p.inputs[in.Name]; ok {
			settings = append(settings, Setting{"inputs." + in.Name, v, fmt.Sprintf("dispatch %d", p.parent.Number)})
		} else if !in.Required {
			settings = append(settings, Setting{"inputs." + in.Name, in.Default, "lattice " + p.lattice.Name})
		}
	}
	slices.SortStableFunc(settings, func(a, b Setting) int { return strings.Compare(a.Field, b.Field) })
	return settings
}

// object turns a payload into what expressions see.
func object(payload json.RawMessage) (map[string]any, error) {
	if len(payload) == 0 {
		return map[string]any{}, nil
	}
	v, err := graph.DecodeValue(payload)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the payload must be an object, not %s", describe(v))
	}
	return m, nil
}
