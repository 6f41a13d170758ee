package triggers_test

import (
	"context"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestBeat(t *testing.T) {
	t.Run("answers_while_the_triggers_run", func(t *testing.T) {
		w := newWorld(t)
		if err := w.manager.Beat(t.Context()); err != nil || !w.manager.Ready() {
			t.Errorf("%v, ready %v", err, w.manager.Ready())
		}
	})
	t.Run("fails_when_nothing_runs", func(t *testing.T) {
		m := triggers.NewManager(nil, nil, triggers.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if m.Beat(ctx) == nil || m.Ready() {
			t.Error("nobody runs it, and it answered")
		}
	})
}
