package spool

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/latticed/latticed/triggers"
)

const (
	// Back-off of a source that ended.
	backoffMin = 500 * time.Millisecond
	backoffMax = time.Minute

	// askAgain is how long one waits at most for the end of what is on its way.
	askAgain = 500 * time.Millisecond
)

// Watch runs a source until ctx ends: what a manager does for those of its triggers. The
// source is closed then. When idle is not nil, it is asked each time the source has
// nothing to do for now, and Watch ends with nil once it answers true, or with the error
// of a source that can't watch.
func (s *Spool) Watch(ctx context.Context, source triggers.Source, idle func(ctx context.Context, from triggers.From) (bool, error)) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c, ok := source.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	set := triggers.WatchClock(ctx)
	wakes := make(chan struct{}, 1)
	wait := time.NewTimer(0)
	defer wait.Stop()
	for backoff := time.Duration(0); ; {
		from, err := s.from(ctx, func() { nudge(wakes) })
		if err == nil {
			err = source.Run(ctx, from, s.Emit)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var until *triggers.UntilError
		var wake, room <-chan struct{}
		switch {
		case errors.As(err, &until):
			backoff = 0
			wait.Reset(time.Until(until.At))
			wake = wakes
			if idle != nil {
				if over, err := idle(ctx, from); over || err != nil {
					return err
				}
				wait.Reset(min(time.Until(until.At), askAgain)) // what it waits for may be over before
			}
		case errors.Is(err, ErrFull):
			s.report(triggers.Failing, ErrFull.Error())
			wait.Reset(backoffMax)
			room = s.freed
		default:
			if err == nil {
				err = errors.New("the source ended by itself")
			}
			s.report(triggers.Failing, err.Error())
			if idle != nil {
				return err
			}
			backoff = min(max(2*backoff, backoffMin), backoffMax)
			wait.Reset(backoff/2 + rand.N(backoff/2+1))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wait.C:
		case <-wake:
		case <-room:
		case <-set:
		}
	}
}
