package triggers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// backfillAhead is how many undecided events a trigger may have for a backfill to
	// add more. With those it adds at once they still fit into the gate's window, where
	// fresh events go first: nobody waits behind a hundred thousand old files.
	backfillAhead = 500
	// backfillLook is how often a backfill looks whether there is room again.
	backfillLook = 250 * time.Millisecond
	// backfillAnswer is how long a request waits for the events.
	backfillAnswer = 20 * time.Second
)

// filling is a backfill under way.
type filling struct {
	r       Range
	found   Backfilled
	emitted atomic.Int64
	done    chan struct{}
	err     error // set before done is closed
}

// sofar is what has been done.
func (f *filling) sofar() Backfilled {
	n := f.found
	n.Emitted = int(f.emitted.Load())
	return n
}

// answer waits for the end, for a while; not once it can go on only after the pause of
// the trigger has ended.
func (k *keeper) answer(ctx context.Context, f *filling) (Backfilled, error) {
	limit := time.NewTimer(backfillAnswer)
	defer limit.Stop()
	look := time.NewTicker(backfillLook)
	defer look.Stop()
	for {
		select {
		case <-f.done:
			return f.sofar(), f.err
		case <-look.C:
			if k.shown.Load().state != Paused || f.emitted.Load() < backfillAhead {
				continue
			}
		case <-limit.C:
		case <-ctx.Done(): // it goes on
		}
		return f.sofar(), nil
	}
}

// fill emits in a goroutine of the trigger's. It returns what is under way: f, or what
// somebody else was faster with.
func (k *keeper) fill(b Backfiller, f *filling, by Principal) (*filling, error) {
	k.kick.Lock()
	defer k.kick.Unlock()
	if k.kick.stopped {
		return nil, k.alive()
	}
	if other := k.filling.Load(); other != nil {
		return other, nil
	}
	k.filling.Store(f)
	k.work.Go(func() {
		err := contained(func() error { return k.emitAll(b, f) })
		if gone := k.alive(); gone != nil && err != nil {
			err = gone
		}
		if err != nil {
			f.err = k.cutOff(f, err)
		}
		k.m.opts.Log.Info().Str(keyTrigger, k.name).Int64("events", f.emitted.Load()).Str("by", by.Name).Err(err).Msg("backfill ended")
		k.filling.Store(nil)
		close(f.done)
	})
	return f, nil
}

// cutOff says how far a backfill has come that err has ended.
func (k *keeper) cutOff(f *filling, err error) error {
	err = fmt.Errorf("backfill of trigger %s (%d of %d events are emitted, ask again for the rest): %w", k.name, f.emitted.Load(), f.found.Found-f.found.Known, err)
	var conflict *ConflictError
	switch { // of these only the message is told
	case errors.Is(err, ErrRevised):
		return &ConflictError{Code: "revised", Message: err.Error()}
	case errors.As(err, &conflict):
		return &ConflictError{Code: conflict.Code, Message: err.Error()}
	}
	return err
}

func (k *keeper) emitAll(b Backfiller, f *filling) error {
	return k.each(k.ctx, b, f.r, func(_ int, fresh []Event) error {
		if len(fresh) == 0 {
			return nil
		}
		if err := k.room(); err != nil {
			return err
		}
		n, err := k.admit(fresh)
		f.emitted.Add(int64(n))
		return err
	})
}

// room waits until the gate has caught up with what it can decide: what waits for
// somebody to look at it may do so for ever.
func (k *keeper) room() error {
	look := time.NewTicker(backfillLook)
	defer look.Stop()
	for {
		counts, err := k.m.ledger.Counts(k.ctx, k.id)
		if err != nil {
			return fmt.Errorf("count the events of trigger %s: %w", k.name, err)
		}
		if counts.Pending-int64(k.shown.Load().waiting.stuck()) < backfillAhead {
			return nil
		}
		select {
		case <-k.ctx.Done():
			return context.Cause(k.ctx)
		case <-look.C:
		}
	}
}
