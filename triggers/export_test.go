package triggers

import "context"

// MergePatch is RFC 7396.
func MergePatch(target, patch map[string]any) map[string]any { return mergePatch(target, patch) }

// ClockWasSet does what a step of the wall clock does.
func ClockWasSet(m *Manager) { m.wakeAll() }

// NextTry is the key of an event that runs again.
func NextTry(key string) string { return nextTry(key) }

// SetWindow makes the window of events in memory so large, until the function that it
// returns is called.
func SetWindow(n int) (back func()) {
	was := windowSize
	windowSize = n
	return func() { windowSize = was }
}

// EndsAfter reads ends over a memory of so many.
func EndsAfter(l Ledger, most int) func(ctx context.Context, place int64) (es []End, next int64, err error) {
	return newEnds(l, most).after
}
