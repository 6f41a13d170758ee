package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
)

// Add registers a trigger from its spec, a JSON object. It answers once the baseline
// is stored, or after a while with the state preparing. Bad content is
// *graph.Invalid, a taken name *ConflictError.
func (m *Manager) Add(ctx context.Context, spec []byte, by Principal) (Trigger, []graph.Warning, error) {
	if err := m.running(ctx); err != nil {
		return Trigger{}, nil, err
	}
	d, err := m.draftNew(ctx, spec, by)
	if err != nil {
		return Trigger{}, nil, err
	}
	warnings := d.plan.warnings() // from create on the plan is the keeper's
	k, err := m.editing(func() (*keeper, error) { return m.create(ctx, d) })
	if err != nil {
		return Trigger{}, nil, err
	}
	t, err := m.settled(ctx, k)
	return t, warnings, err
}

// create stores a draft of a new trigger and starts it. m.edit is held.
func (m *Manager) create(ctx context.Context, d *draft) (*keeper, error) {
	t, err := m.ledger.CreateTrigger(ctx, d.next)
	if err != nil {
		return nil, fmt.Errorf("add trigger %s: %w", d.next.Name, err)
	}
	k := m.start(t, d.plan)
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
	_, warnings, k, err := m.change(ctx, func() (*draft, error) {
		d, err := m.draftPatch(ctx, idOrName, patch)
		if err == nil {
			d.same = false // it makes a revision, whatever it says
		}
		return d, err
	})
	if err != nil {
		return Trigger{}, nil, err
	}
	return m.revised(ctx, k, warnings, by)
}

// revise stores a draft as the next revision and runs it in place of the present one.
// m.edit is held.
func (m *Manager) revise(ctx context.Context, d *draft) (*keeper, error) {
	next, err := m.ledger.ReviseTrigger(ctx, d.next)
	if err != nil {
		return nil, fmt.Errorf("revise trigger %s: %w", d.old.Name, err)
	}
	k := m.replace(next, d.plan)
	if k == nil {
		return nil, ErrStopped
	}
	return k, nil
}

// revised answers an edit.
func (m *Manager) revised(ctx context.Context, k *keeper, ws []graph.Warning, by Principal) (Trigger, []graph.Warning, error) {
	t, err := m.settled(ctx, k)
	m.opts.Log.Info().Str(keyTrigger, t.Name).Int("revision", t.Revision).Str("by", by.Name).Msg("trigger revised")
	return t, ws, err
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
	m.alarm(&keeper{id: t.ID, name: t.Name, kind: t.Kind}, Removed, "the trigger was removed", false)
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
	settings := p.effective()
	maskSettings(settings, p.made.Secrets)
	return settings, nil
}
