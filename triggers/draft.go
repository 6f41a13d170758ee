package triggers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/google/uuid"
	"github.com/latticed/latticed/graph"
)

// draft is a trigger as it would be after a change: compiled, looked at, not stored.
type draft struct {
	old  *Trigger // as it is stored; nil: it would be new
	next Trigger
	plan *plan
	same bool // nothing would change
}

// change is what would become of the trigger.
func (d *draft) change() PutResult {
	switch {
	case d.old == nil:
		return Created
	case d.same:
		return Unchanged
	}
	return Revised
}

// draftNew is a trigger that is to be added.
func (m *Manager) draftNew(ctx context.Context, spec []byte, by Principal) (*draft, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make a trigger id: %w", err)
	}
	d := &draft{next: Trigger{
		ID: id.String(), Revision: 1, State: Preparing, Spec: spec,
		Owner: by.Name, CreatedBy: by.Name, RunAs: m.opts.RunAs,
	}}
	return d, m.compile(ctx, d, all)
}

// draftPatch is a trigger that is changed as RFC 7396 says.
func (m *Manager) draftPatch(ctx context.Context, idOrName string, patch []byte) (*draft, error) {
	changes, err := decodeObject(patch)
	if err != nil {
		return nil, err
	}
	old, spec, err := m.stored(ctx, idOrName)
	if err != nil {
		return nil, err
	}
	changes = m.unmask(changes, spec)
	return m.draftOf(ctx, old, spec, mergePatch(spec, changes), changes)
}

// draftPut is a trigger that becomes what a whole spec says.
func (m *Manager) draftPut(ctx context.Context, name string, spec []byte, by Principal) (*draft, error) {
	object, err := decodeObject(spec)
	if err != nil {
		return nil, err
	}
	object = mergePatch(map[string]any{}, object) // null is the same as absent
	old, was, err := m.stored(ctx, name)
	known := err == nil
	if known {
		name = old.Name // it may be found by its id
	} else if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	switch given, there := object["name"]; {
	case !there:
		object["name"] = name
	case given != name:
		return nil, invalidField("name", graph.CodeBadValue, "is %s, but this is about %s; to rename a trigger, patch its name", show(given), show(name))
	}
	if !known {
		if spec, err = graph.Canonical(object); err != nil {
			return nil, fmt.Errorf("write the spec of trigger %s: %w", name, err)
		}
		return m.draftNew(ctx, spec, by)
	}
	object = m.unmask(object, was)
	if object["dispatch_id"] == old.DispatchID { // as export prints it
		object["dispatch_id"] = was["dispatch_id"]
	}
	d, err := m.draftOf(ctx, old, was, object, changed(mergePatch(map[string]any{}, was), object))
	if err == nil && !d.same && keep(object, was, d.plan.made.Fill) {
		d, err = m.draftOf(ctx, old, was, object, changed(mergePatch(map[string]any{}, was), object))
	}
	if err != nil || d.same {
		return d, err
	}
	stored, err := graph.Canonical(was)
	d.same = bytes.Equal(stored, d.next.Spec) // with what the machine fills in
	return d, err
}

// keep takes over what the machine filled in when the trigger was made: to say nothing
// again is not to ask for what the machine says now.
func keep(object, was, fill map[string]any) (kept bool) {
	for field := range fill {
		if v, there := was[field]; there {
			object[field], kept = v, true
		}
	}
	return kept
}

// stored reads a trigger and its spec.
func (m *Manager) stored(ctx context.Context, idOrName string) (Trigger, map[string]any, error) {
	t, err := m.ledger.Trigger(ctx, idOrName)
	if err != nil {
		return Trigger{}, nil, err
	}
	spec, err := decodeObject(t.Spec)
	if err != nil {
		return Trigger{}, nil, fmt.Errorf("read the spec of trigger %s: %w", t.Name, err)
	}
	return t, spec, nil
}

// changed are the fields of next that are not as before, and null for those that are
// gone.
func changed(before, next map[string]any) map[string]any {
	changes := map[string]any{}
	for field, v := range next {
		if old, there := before[field]; !there || !reflect.DeepEqual(old, v) {
			changes[field] = v
		}
	}
	for field := range before {
		if _, there := next[field]; !there {
			changes[field] = nil
		}
	}
	return changes
}

// draftOf is old with another spec; changes are the fields that were asked for.
func (m *Manager) draftOf(ctx context.Context, old Trigger, was, spec, changes map[string]any) (*draft, error) {
	if kind, there := changes["kind"]; there && kind != was["kind"] {
		return nil, invalidField("kind", graph.CodeBadValue, "the kind of a trigger can't be changed; remove it and add another")
	}
	d := &draft{old: &old, next: old, same: len(changes) == 0}
	var err error
	if d.next.Spec, err = graph.Canonical(spec); err != nil {
		return nil, fmt.Errorf("write the spec of trigger %s: %w", old.Name, err)
	}
	if touches(changes, "dispatch_id", "lattice") {
		d.next.DispatchID, d.next.LatticeID, d.next.LatticeName = "", "", ""
	}
	return d, m.compile(ctx, d, attention(changes))
}

// look says how closely a draft is looked at.
type look uint8

const (
	spoken look = iota // what is to be watched stays as it was
	seen               // expressions change, which have to fit that, if it can be seen
	all                // it is to be there
)

// attention is what a change asks for.
func attention(changes map[string]any) look {
	switch {
	case !onlyRules(changes):
		return all
	case expresses(changes):
		return seen
	}
	return spoken
}

// expresses tells whether a change has expressions in it.
func expresses(changes map[string]any) bool {
	for _, field := range []string{"inputs", "when", "dedupe_key", "labels", "sweep"} {
		if v, there := changes[field]; there && strings.Contains(fmt.Sprint(v), "${{") {
			return true
		}
	}
	return false
}

// compile makes the plan of a draft, and looks at what it is to watch.
func (m *Manager) compile(ctx context.Context, d *draft, how look) error {
	p, err := newPlan(ctx, m.ledger, m.kinds, &d.next)
	if err != nil {
		return err
	}
	if err := p.fit(); err != nil {
		return err
	}
	d.plan, d.next.Name, d.next.Kind = p, p.name, p.kind
	_, describes := p.made.Source.(Describer)
	if how == spoken || how == seen && !describes {
		return nil
	}
	if err := m.check(ctx, p); err != nil && how == all {
		return err
	}
	return p.describe(d.next.Spec)
}

// check looks at what a trigger is to watch.
func (m *Manager) check(ctx context.Context, p *plan) error {
	c, ok := p.made.Source.(Checker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.opts.Baseline)
	defer cancel()
	return c.Check(ctx)
}

// onlyRules tells whether a change leaves alone what is watched.
func onlyRules(changes map[string]any) bool {
	changes = maps.Clone(changes)
	for _, field := range (&Fields{}).commonNames() {
		delete(changes, field)
	}
	return len(changes) == 0
}

func touches(changes map[string]any, fields ...string) bool {
	for _, field := range fields {
		if _, there := changes[field]; there {
			return true
		}
	}
	return false
}

// mergePatch applies RFC 7396 and leaves its arguments alone.
func mergePatch(target, patch map[string]any) map[string]any {
	merged := make(map[string]any, len(target)+len(patch))
	for key, v := range target {
		merged[key] = v
	}
	for key, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(merged, key)
		case map[string]any:
			inner, _ := merged[key].(map[string]any)
			merged[key] = mergePatch(inner, v)
		default:
			merged[key] = v
		}
	}
	return merged
}
