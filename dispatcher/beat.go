package dispatcher

import (
	"context"
	"time"
)

// Beat returns once the loop of Run has turned: it proves that the loop lives, for
// systemd's watchdog. Before Run and after it, Beat waits for ctx.
func (d *Dispatcher) Beat(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case d.beats <- answer:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	<-answer
	return nil
}

// Ready tells whether Run has found again what an earlier process left running.
func (d *Dispatcher) Ready() bool {
	if d.holds.has(HoldRestored) {
		return true // as far as it goes until somebody has looked
	}
	select {
	case <-d.ready:
		return true
	default:
		return false
	}
}

// sleepUntilWoken waits for Wake and answers beats; false when ctx ended first.
func (d *Dispatcher) sleepUntilWoken(ctx context.Context) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-d.wake:
			return true
		case b := <-d.beats:
			close(b)
		}
	}
}

// sleepOn waits for d and answers beats; false when ctx ended first.
func sleepOn(ctx context.Context, beats <-chan chan<- struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		case b := <-beats:
			close(b)
		}
	}
}
