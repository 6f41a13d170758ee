package directory

import (
	"context"
	"time"

	"github.com/latticed/latticed/triggers"
)

// source watches one place for one trigger.
type source struct {
	hub *hub
	config
	kept *watch // between two runs
}

var _ triggers.Checker = (*source)(nil)

// Run does what there is to do. What it knows is kept until the next time, unless an
// error came between what it knows and what is stored.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	w := s.kept
	s.kept = nil
	if w == nil {
		w = newWatch(&s.config, s.hub, from)
		if err := w.load(ctx, from); err != nil {
			return err
		}
	}
	defer func() {
		if s.kept == nil {
			w.unwatch()
		}
	}()
	w.emit, w.alarm = emit, time.AfterFunc(patience, w.hangs)
	defer w.alarm.Stop()
	next, err := w.work(ctx)
	if err != nil {
		return err
	}
	s.kept = w
	return triggers.Until(next)
}

// Close ends the hints.
func (s *source) Close() error {
	if s.kept != nil {
		s.kept.unwatch()
		s.kept = nil
	}
	return nil
}
