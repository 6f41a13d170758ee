package triggers

import "context"

// Beat returns once Run has been able to look at its triggers: it proves that the
// manager lives, for systemd's watchdog. A source that is stuck is a state of its
// trigger. Before Run has started the triggers and after it, Beat waits for ctx.
func (m *Manager) Beat(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case m.beats <- answer:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-answer:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answerBeats does so until ctx ends.
func (m *Manager) answerBeats(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-m.beats:
			m.snapshot()
			close(b)
		}
	}
}

// Ready tells whether Run has started the triggers.
func (m *Manager) Ready() bool {
	select {
	case <-m.started:
		return true
	default:
		return false
	}
}
