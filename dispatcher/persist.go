package dispatcher

import (
	"context"
	"time"
)

// persist repeats f with back-off until it succeeds; false when ctx ended first.
func (d *Dispatcher) persist(ctx context.Context, what string, f func() error) bool {
	return d.persistOn(ctx, nil, what, f)
}

// persistOn is persist in the loop of Run, which answers beats also while it waits.
func (d *Dispatcher) persistOn(ctx context.Context, beats <-chan chan<- struct{}, what string, f func() error) bool {
	for n := 1; ; n++ {
		err := guard(f)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		d.count.storeErrors.Add(1)
		delay := againDelay(n, jitter())
		d.log.Error().AnErr(keyErr, err).Dur(keyDur, delay).Msg(what + " failed")
		if !sleepOn(ctx, beats, delay) {
			return false
		}
	}
}

// sleep waits for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool { return sleepOn(ctx, nil, d) }
