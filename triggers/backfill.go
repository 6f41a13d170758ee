package triggers

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Backfiller is implemented by sources that can report what is there already as if it
// came now.
type Backfiller interface {
	// Backfill calls f with events, some at a time, until f gives an error, which it
	// returns. Events with a known key are dropped by f. It is called beside Run,
	// from another goroutine, and stores nothing itself.
	Backfill(ctx context.Context, from From, r Range, f func([]Event) error) error
}

// Range is what a backfill is about; zero values do not restrict it.
type Range struct {
	Path  string    // a file or folder inside what is watched
	Since time.Time // of the modification, or the instant
	Until time.Time
}

// Backfilled is what a backfill did, or would do.
type Backfilled struct {
	Found   int `json:"found"`   // things there
	Known   int `json:"known"`   // of them, events already
	Emitted int `json:"emitted"` // new events
}

const (
	// backfillAhead is how many undecided events a trigger may have for a backfill to
	// add more, so that fresh events do not wait behind a hundred thousand old files.
	backfillAhead = 2000
	// backfillLook is how often a backfill looks whether there is room again.
	backfillLook = 250 * time.Millisecond
	// backfillCount is how long counting may take, backfillAnswer how long a request
	// waits for the events.
	backfillCount  = 5 * time.Minute
	backfillAnswer = 20 * time.Second
)

// Backfill makes events of what is there already, as if it came now; what was an event
// before is left out. First everything is counted: more than 1,000 new events want
// confirm to be their number, which the *ConflictError names otherwise, and a dry run
// ends here. Then they are emitted bit by bit, never far ahead of the gate.
//
// A request waits for that for 20 seconds and answers with what was emitted so far; it
// goes on in the background until Emitted would be Found less Known, and asking for the
// same again tells how far it is. An edit of the trigger, or the end of the daemon,
// ends it: what was emitted is stored, and another request does the rest.
func (m *Manager) Backfill(ctx context.Context, idOrName string, r Range, confirm int, dry bool, by Principal) (Backfilled, error) {
	k, err := m.keeper(ctx, idOrName)
	if err != nil {
		return Backfilled{}, err
	}
	b, err := k.backfiller()
	if err != nil {
		return Backfilled{}, err
	}
	if f := k.filling.Load(); f != nil && !dry {
		if f.r != r {
			return Backfilled{}, &ConflictError{Code: "backfill_running", Message: fmt.Sprintf("another backfill of trigger %s is under way, %d of its %d events are made; ask again when it has ended, or edit the trigger to end it",
				k.name, f.emitted.Load(), f.found.Found-f.found.Known)}
		}
		return f.answer(ctx)
	}
	found, err := m.countBackfill(ctx, k, b, r)
	if err != nil {
		return Backfilled{}, err
	}
	n := found.Found - found.Known
	if dry {
		found.Emitted = n
		return found, nil
	}
	if err := confirmed(n, confirm, "events would be made"); err != nil || n == 0 {
		return found, err
	}
	f := &filling{r: r, found: found, done: make(chan struct{})}
	if !k.fill(b, f, by) {
		return Backfilled{}, ErrRevised
	}
	return f.answer(ctx)
}

// backfiller is the source of a trigger, if it can do it.
func (k *keeper) backfiller() (Backfiller, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.plan == nil {
		return nil, &ConflictError{Code: "trigger_failing", Message: "the trigger can't fire: " + k.health.reason}
	}
	b, ok := k.plan.made.Source.(Backfiller)
	if !ok {
		return nil, &ConflictError{Code: "no_backfill", Message: "triggers of kind " + k.kind + " have nothing to backfill from"}
	}
	return b, nil
}

// countBackfill counts what there is. It holds no more than the source gives at once.
func (m *Manager) countBackfill(ctx context.Context, k *keeper, b Backfiller, r Range) (Backfilled, error) {
	from, err := m.from(ctx, k.id)
	if err != nil {
		return Backfilled{}, fmt.Errorf("read where trigger %s stands: %w", k.name, err)
	}
	var n Backfilled
	err = m.ask(ctx, backfillCount, func(ctx context.Context) error {
		return b.Backfill(ctx, from, r, func(es []Event) error {
			for part := range slices.Chunk(es, emitBatch) {
				fresh, err := k.unseen(ctx, part)
				if err != nil {
					return err
				}
				n.Found += len(part)
				n.Known += len(part) - len(fresh)
			}
			return context.Cause(ctx)
		})
	})
	if err != nil {
		return Backfilled{}, fmt.Errorf("count what trigger %s would backfill: %w", k.name, err)
	}
	return n, nil
}

// unseen are the events that the trigger does not have. The slice given is left alone.
func (k *keeper) unseen(ctx context.Context, es []Event) ([]Event, error) {
	keys := make([]string, len(es))
	for i := range es {
		keys[i] = es[i].Key
	}
	return k.unknown(ctx, slices.Clone(es), keys)
}

// filling is a backfill under way.
type filling struct {
	r       Range
	found   Backfilled
	emitted atomic.Int64
	done    chan struct{}
	err     error // set before done is closed
}

// answer waits for the end, for a while.
func (f *filling) answer(ctx context.Context) (Backfilled, error) {
	limit := time.NewTimer(backfillAnswer)
	defer limit.Stop()
	var err error
	select {
	case <-f.done:
		err = f.err
	case <-limit.C:
	case <-ctx.Done(): // it goes on
	}
	n := f.found
	n.Emitted = int(f.emitted.Load())
	return n, err
}

// fill emits in a goroutine of the trigger's; false: the trigger was replaced, or
// somebody else was faster.
func (k *keeper) fill(b Backfiller, f *filling, by Principal) bool {
	k.kick.Lock()
	defer k.kick.Unlock()
	if k.kick.stopped || !k.filling.CompareAndSwap(nil, f) {
		return false
	}
	k.work.Go(func() {
		err := contained(func() error { return k.emitAll(b, f) })
		if err != nil {
			f.err = fmt.Errorf("backfill of trigger %s (%d of %d events are emitted, ask again for the rest): %w", k.name, f.emitted.Load(), f.found.Found-f.found.Known, err)
		}
		k.m.opts.Log.Info().Str(keyTrigger, k.name).Int64("events", f.emitted.Load()).Str("by", by.Name).Err(err).Msg("backfill ended")
		k.filling.Store(nil)
		close(f.done)
	})
	return true
}

func (k *keeper) emitAll(b Backfiller, f *filling) error {
	from, err := k.m.from(k.ctx, k.id)
	if err != nil {
		return fmt.Errorf("read where trigger %s stands: %w", k.name, err)
	}
	return b.Backfill(k.ctx, from, f.r, func(es []Event) error {
		for part := range slices.Chunk(es, emitBatch) {
			fresh, err := k.unseen(k.ctx, part)
			if err != nil {
				return err
			}
			if len(fresh) == 0 {
				continue
			}
			if err := k.room(); err != nil {
				return err
			}
			n, err := k.admit(fresh)
			f.emitted.Add(int64(n))
			if err != nil {
				return err
			}
		}
		return k.ctx.Err()
	})
}

// room waits until the gate has caught up.
func (k *keeper) room() error {
	look := time.NewTicker(backfillLook)
	defer look.Stop()
	for {
		counts, err := k.m.ledger.Counts(k.ctx, k.id)
		if err != nil {
			return fmt.Errorf("count the events of trigger %s: %w", k.name, err)
		}
		if counts.Pending < backfillAhead {
			return nil
		}
		select {
		case <-k.ctx.Done():
			return context.Cause(k.ctx)
		case <-look.C:
		}
	}
}
