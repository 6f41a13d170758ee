package triggers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Standing is what a trigger would do once the hold after a restore ends.
type Standing struct {
	Name      string
	Pending   int64  // events that wait
	WouldFire int64  // dispatches that it would make at once
	Note      string // why that can't be told, or is not all
}

// Held tells whether all triggers hold what happens, since the state directory was
// restored from a backup.
func (m *Manager) Held() bool { return m.held.Load() }

// Release ends that hold: each trigger decides about what waits, as after a pause.
func (m *Manager) Release() {
	if !m.held.Swap(false) {
		return
	}
	for _, k := range m.snapshot() {
		k.decideSoon()
	}
}

// still is why nothing of a trigger fires, whatever happens; empty when it does.
func (k *keeper) still() string {
	switch {
	case k.paused:
		return ReasonPaused
	case k.m.held.Load():
		return ReasonRestored
	}
	return ""
}

// Standings returns what the triggers that have something waiting would do, by name.
func (m *Manager) Standings(ctx context.Context) ([]Standing, error) {
	if err := m.running(ctx); err != nil {
		return nil, err
	}
	var all []Standing
	for _, k := range m.snapshot() {
		s, err := k.standing(ctx)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: %w", k.name, err)
		}
		if s.Pending > 0 || s.Note != "" {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Standing) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

func (k *keeper) standing(ctx context.Context) (Standing, error) {
	s := Standing{Name: k.name}
	counts, err := k.m.ledger.Counts(ctx, k.id)
	if err != nil {
		return s, err
	}
	s.Pending = counts.Pending
	k.mu.Lock()
	defer k.mu.Unlock()
	state, reason := k.state()
	switch {
	case k.paused:
		s.Note = "it is paused"
	case k.plan == nil || state == Preparing:
		s.Note = "it is not ready to tell: " + cmp.Or(reason, string(state))
	case state == Failing:
		s.Note = "it is failing: " + reason
	}
	if k.plan == nil || k.paused || s.Pending == 0 {
		return s, nil
	}
	events, err := k.m.ledger.Window(ctx, k.id, 0, k.limit())
	if err != nil {
		return s, err
	}
	pending := make([]Pending, len(events))
	for i, e := range events {
		pending[i].Event = e
	}
	verdicts, rest, err := k.judge(ctx, pending)
	if err != nil {
		return s, err
	}
	for _, v := range verdicts {
		s.WouldFire += int64(len(v.Dispatches))
	}
	switch {
	case s.Note != "":
	case int64(len(events)) < s.Pending:
		s.Note = fmt.Sprintf("of the oldest %d events; the others follow", len(events))
	case rest.Full:
		s.Note = "others follow as dispatches end"
	}
	return s, nil
}
