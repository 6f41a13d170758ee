package triggers

import (
	"context"
	"errors"
)

var errUnwritten = errors.New("not written yet")

// Retry lets final events run again.
func (m *Manager) Retry(ctx context.Context, idOrName string, events []string, states []EventState, confirm int, by Principal) (int, error) {
	return 0, errUnwritten
}

// FireEvent fires one event now.
func (m *Manager) FireEvent(ctx context.Context, idOrName, event string, by Principal) (Firing, error) {
	return Firing{}, errUnwritten
}
