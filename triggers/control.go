package triggers

import (
	"context"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
)

// What Resume does with the events that a pause has held.
const (
	BacklogFire = "fire"
	BacklogSkip = "skip"
)

// Pause holds events from now on; they are recorded as before. Pausing twice is
// pausing once. It returns the trigger as it stands then.
func (m *Manager) Pause(ctx context.Context, idOrName string) (Trigger, error) {
	k, err := m.steer(ctx, idOrName, func(k *keeper) error { return k.pause(ctx) })
	if err != nil {
		return Trigger{}, err
	}
	k.decideSoon() // what waited for a batch or a slot now waits for the pause
	return m.reread(ctx, k)
}

// Resume ends a pause. When events are held, backlog says what becomes of them: fire
// decides about them as if they came now, skip ends them; without it the answer is a
// *ConflictError with code backlog_required. Resuming what is not paused does nothing.
func (m *Manager) Resume(ctx context.Context, idOrName, backlog string) (Trigger, error) {
	switch backlog {
	case "", BacklogFire, BacklogSkip:
	default:
		return Trigger{}, invalidField("backlog", graph.CodeBadValue, "backlog must be fire or skip, not %s", show(backlog))
	}
	k, err := m.steer(ctx, idOrName, func(k *keeper) error { return k.resume(ctx, backlog) })
	if err != nil {
		return Trigger{}, err
	}
	k.decideSoon()
	return m.reread(ctx, k)
}

// steer calls f with the keeper of a trigger, which no edit replaces meanwhile.
func (m *Manager) steer(ctx context.Context, idOrName string, f func(*keeper) error) (*keeper, error) {
	if err := m.running(ctx); err != nil {
		return nil, err
	}
	return m.editing(func() (*keeper, error) {
		k, err := m.keeper(ctx, idOrName)
		if err != nil {
			return nil, err
		}
		return k, f(k)
	})
}

func (m *Manager) reread(ctx context.Context, k *keeper) (Trigger, error) {
	t, err := m.ledger.Trigger(context.WithoutCancel(ctx), k.id)
	if err != nil {
		return Trigger{}, fmt.Errorf("read the trigger: %w", err)
	}
	return m.Live(t), nil
}

// alive refuses changes through a keeper that was replaced, or after the end.
func (k *keeper) alive() error {
	switch {
	case k.m.ctx.Err() != nil:
		return ErrStopped
	case k.ctx.Err() != nil:
		return ErrRevised
	}
	return nil
}

func (k *keeper) pause(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.alive(); err != nil || k.paused {
		return err
	}
	silence := k.vigil.reason
	k.paused, k.vigil.reason = true, ""
	s, reason := k.state()
	if err := k.m.ledger.SetTriggerState(ctx, k.id, s, reason, time.Time{}); err != nil {
		k.paused, k.vigil.reason = false, silence
		return fmt.Errorf("pause trigger %s: %w", k.name, err)
	}
	k.trigger.State, k.trigger.Reason = s, reason
	k.restVigil()
	k.show()
	k.m.opts.Log.Info().Str(keyTrigger, k.name).Str(keyStatus, string(s)).Msg("trigger state")
	return nil
}

func (k *keeper) resume(ctx context.Context, backlog string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.alive(); err != nil || !k.paused {
		return err
	}
	counts, err := k.m.ledger.Counts(ctx, k.id)
	if err != nil {
		return fmt.Errorf("count the events of trigger %s: %w", k.name, err)
	}
	if counts.Pending > 0 && backlog == "" {
		return &ConflictError{
			Code:    "backlog_required",
			Message: held(counts.Pending) + ": resume with backlog=fire to run, or backlog=skip to end what is held",
		}
	}
	if backlog == BacklogSkip {
		if err := k.skipBacklog(); err != nil {
			return err
		}
	}
	k.paused = false
	s, reason := k.state()
	if err := k.m.ledger.SetTriggerState(ctx, k.id, s, reason, time.Time{}); err != nil {
		k.paused = true
		return fmt.Errorf("resume trigger %s: %w", k.name, err)
	}
	k.trigger.State, k.trigger.Reason = s, reason
	k.wakeVigil()
	k.show()
	k.m.opts.Log.Info().Str(keyTrigger, k.name).Str(keyStatus, string(s)).Str("backlog", backlog).Msg("trigger state")
	return nil
}

func held(n int64) string {
	if n == 1 {
		return "1 event is held"
	}
	return fmt.Sprintf("%d events are held", n)
}

// skipBacklog ends all undecided events, a bounded number in each transaction. When
// it breaks off the trigger is still paused and the rest still held. k.mu is held,
// so nothing is added meanwhile.
func (k *keeper) skipBacklog() error {
	defer k.doubt()
	for {
		// The trigger's own context: a repeated request must not find itself
		// answered by the first of several transactions.
		events, err := k.m.ledger.Window(k.ctx, k.id, 0, windowSize)
		if err != nil {
			return fmt.Errorf("read held events of trigger %s: %w", k.name, err)
		}
		if len(events) == 0 {
			return nil
		}
		pending := make([]Pending, len(events))
		v := Verdict{State: EventSkipped, Reason: ReasonResumed}
		for i, e := range events {
			pending[i] = Pending{Event: e}
			v.Events = append(v.Events, i)
		}
		ds, err := decisions([]Verdict{v}, pending)
		if err != nil {
			return err
		}
		if _, err := k.m.ledger.Fire(k.ctx, k.id, k.trigger.Revision, ds); err != nil {
			return fmt.Errorf("skip held events of trigger %s: %w", k.name, err)
		}
		k.apply([]Verdict{v}, ds, pending)
	}
}
