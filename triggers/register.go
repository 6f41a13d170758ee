package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/latticed/latticed/graph"
)

// Add registers a trigger from its spec, a JSON object. It answers once the baseline
// is stored, or after a while with the state preparing. Bad content is
// *graph.Invalid, a taken name *ConflictError.
func (m *Manager) Add(ctx context.Context, spec []byte, by Principal) (Trigger, []graph.Warning, error) {
	if err := m.running(ctx); err != nil {
		return Trigger{}, nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Trigger{}, nil, fmt.Errorf("make a trigger id: %w", err)
	}
	t := Trigger{
		ID: id.String(), Revision: 1, State: Preparing, Spec: spec,
		Owner: by.Name, CreatedBy: by.Name, RunAs: m.opts.RunAs,
	}
	p, err := m.planned(ctx, &t)
	if err != nil {
		return Trigger{}, nil, err
	}
	warnings := p.warnings()
	k, err := m.create(ctx, t, p) // from here on the plan is the keeper's
	if err != nil {
		return Trigger{}, nil, err
	}
	t, err = m.settled(ctx, k)
	return t, warnings, err
}

// planned compiles a spec that somebody submits, and looks at what it watches.
func (m *Manager) planned(ctx context.Context, t *Trigger) (*plan, error) {
	p, err := newPlan(ctx, m.ledger, m.kinds, t)
	if err != nil {
		return nil, err
	}
	t.Name, t.Kind = p.name, p.kind
	return p, m.check(ctx, p)
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

func (m *Manager) create(ctx context.Context, t Trigger, p *plan) (*keeper, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	t, err := m.ledger.CreateTrigger(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("add trigger %s: %w", t.Name, err)
	}
	k := m.start(t, p)
	if k == nil {
		return nil, ErrStopped
	}
	return k, nil
}

// settled waits for the baseline and returns the trigger as it stands then.
func (m *Manager) settled(ctx context.Context, k *keeper) (Trigger, error) {
	limit := time.NewTimer(m.opts.Baseline)
	defer limit.Stop()
	select {
	case <-k.settled:
	case <-limit.C:
	case <-ctx.Done(): // registered all the same
	}
	stored, err := m.ledger.Trigger(context.WithoutCancel(ctx), k.id)
	if err != nil {
		return Trigger{}, fmt.Errorf("read trigger %s: %w", k.name, err)
	}
	return m.Live(stored), nil
}

// Patch changes a trigger as RFC 7396 says: given fields replace, null removes. The
// result is a new revision, to which waiting events belong from then on. When what
// is watched changes, a new baseline is taken; nothing old is run again.
func (m *Manager) Patch(ctx context.Context, idOrName string, patch []byte, by Principal) (Trigger, []graph.Warning, error) {
	if err := m.running(ctx); err != nil {
		return Trigger{}, nil, err
	}
	m.edit.Lock()
	k, warnings, err := m.revise(ctx, idOrName, patch)
	m.edit.Unlock()
	if err != nil {
		return Trigger{}, nil, err
	}
	t, err := m.settled(ctx, k)
	m.opts.Log.Info().Str(keyTrigger, t.Name).Int("revision", t.Revision).Str("by", by.Name).Msg("trigger revised")
	return t, warnings, err
}

func (m *Manager) revise(ctx context.Context, idOrName string, patch []byte) (*keeper, []graph.Warning, error) {
	changes, err := decodeObject(patch)
	if err != nil {
		return nil, nil, err
	}
	t, err := m.ledger.Trigger(ctx, idOrName)
	if err != nil {
		return nil, nil, err
	}
	old, err := decodeObject(t.Spec)
	if err != nil {
		return nil, nil, fmt.Errorf("read the spec of trigger %s: %w", t.Name, err)
	}
	if kind, there := changes["kind"]; there && kind != old["kind"] {
		return nil, nil, invalidField("kind", graph.CodeBadValue, "the kind of a trigger can't be changed; remove it and add another")
	}
	next := t
	if next.Spec, err = graph.Canonical(mergePatch(old, changes)); err != nil {
		return nil, nil, fmt.Errorf("write the spec of trigger %s: %w", t.Name, err)
	}
	if touches(changes, "dispatch_id", "lattice") {
		next.DispatchID, next.LatticeID, next.LatticeName = "", "", ""
	}
	p, err := newPlan(ctx, m.ledger, m.kinds, &next)
	if err != nil {
		return nil, nil, err
	}
	next.Name, next.Kind = p.name, p.kind
	if !onlyRules(changes) {
		if err := m.check(ctx, p); err != nil {
			return nil, nil, err
		}
	}
	if next, err = m.ledger.ReviseTrigger(ctx, next); err != nil {
		return nil, nil, fmt.Errorf("revise trigger %s: %w", t.Name, err)
	}
	warnings := p.warnings()
	m.halt(t.ID)
	k := m.start(next, p)
	if k == nil {
		return nil, nil, ErrStopped
	}
	return k, warnings, nil
}

// onlyRules tells whether a change leaves alone what is watched.
func onlyRules(changes map[string]any) bool {
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

// Remove ends a trigger. Its waiting events are skipped; its history stays.
func (m *Manager) Remove(ctx context.Context, idOrName string) error {
	if err := m.running(ctx); err != nil {
		return err
	}
	m.edit.Lock()
	defer m.edit.Unlock()
	t, err := m.ledger.Trigger(ctx, idOrName)
	if err != nil {
		return err
	}
	if err := m.ledger.RemoveTrigger(ctx, t.ID); err != nil {
		return fmt.Errorf("remove trigger %s: %w", t.Name, err)
	}
	m.halt(t.ID)
	return nil
}

// Effective lists every setting of a trigger with its value and where it came from.
func (m *Manager) Effective(ctx context.Context, t Trigger) ([]Setting, error) {
	p, err := newPlan(ctx, m.ledger, m.kinds, &t)
	var invalid *graph.Invalid
	if errors.As(err, &invalid) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("read trigger %s: %w", t.Name, err)
	}
	return p.effective(), nil
}
