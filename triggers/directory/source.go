package directory

import (
	"context"
	"sync"
	"time"

	"github.com/latticed/latticed/triggers"
)

// source watches one place for one trigger.
type source struct {
	hub *hub
	config

	mu   sync.Mutex // held by Run, and by who asks what it knows
	kept *watch     // between two runs
}

var _ triggers.Checker = (*source)(nil)

// Run does what there is to do. What it knows is kept until the next time, unless an
// error came between what it knows and what is stored.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil {
		s.kept.unwatch()
		s.kept = nil
	}
	return nil
}

// sighted is when Run saw a file first that is not stored yet (ns); 0: it has not, or
// is too busy to be asked.
func (s *source) sighted(rel string) int64 {
	for wait := time.Millisecond; !s.mu.TryLock(); wait *= 2 {
		if wait > 200*time.Millisecond {
			return 0
		}
		time.Sleep(wait) // Run has no channel to wait on, and must not wait for us
	}
	defer s.mu.Unlock()
	if s.kept == nil {
		return 0
	}
	f := s.kept.find(rel)
	if f == nil {
		return 0
	}
	return f.first
}
