package main

import (
	"context"
	"sync"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/triggers"
)

// bell is the alarms as they are configured now. Its goroutine is that of Run, which has
// one for the alarms of the moment.
type bell struct {
	log     zerolog.Logger
	changed chan struct{} // one slot

	mu      sync.Mutex
	now     *alarms                   // nil: nobody is told
	failing map[string]triggers.Alarm // what those are told who come later
}

func newBell(cfg Alarm, log zerolog.Logger) *bell {
	return &bell{log: log, changed: make(chan struct{}, 1), now: newAlarms(cfg, log), failing: map[string]triggers.Alarm{}}
}

// tell passes on how a trigger is doing.
func (b *bell) tell(a triggers.Alarm) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.State == triggers.Failing {
		b.failing[a.ID] = a
	} else {
		delete(b.failing, a.ID)
	}
	if b.now != nil {
		b.now.tell(a)
	}
}

// set tells others from now on. What is failing counts for them as it did.
func (b *bell) set(cfg Alarm) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := newAlarms(cfg, b.log)
	if next != nil && b.now != nil {
		b.now.mu.Lock()
		next.troubles = b.now.troubles
		b.now.troubles = map[string]*trouble{}
		b.now.mu.Unlock()
	} else if next != nil {
		for _, a := range b.failing {
			next.tell(a)
		}
	}
	b.now = next
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// current is nil when nobody is told.
func (b *bell) current() *alarms {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// Run runs the alarms of the moment until ctx ends.
func (b *bell) Run(ctx context.Context) error {
	for {
		turn, end := context.WithCancel(ctx)
		var running sync.WaitGroup
		if a := b.current(); a != nil {
			running.Go(func() { _ = a.Run(turn) }) // it ends with its context only
		}
		select {
		case <-ctx.Done():
		case <-b.changed:
		}
		end()
		running.Wait()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
