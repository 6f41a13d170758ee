package triggers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
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

func TestRun_that_is_stopped_while_it_reads_the_triggers_ends_without_an_error(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ledger := triggertest.NewLedger()
	ledger.Fail(func(string) error {
		cancel()
		return errors.New("interrupted")
	})
	if err := triggers.NewManager(ledger, nil, triggers.Options{}).Run(ctx); err != nil {
		t.Error(err)
	}
}
