package triggers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
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
	Since time.Time // of the modification, or the instant: at or after
	Until time.Time // before
}

// same tells whether two ranges are about the same, however their instants are written.
func (r Range) same(o Range) bool {
	return r.Path == o.Path && r.Since.Equal(o.Since) && r.Until.Equal(o.Until)
}

// Backfilled is what a backfill did, or would do.
type Backfilled struct {
	Found   int `json:"found"`   // things there
	Known   int `json:"known"`   // of them, events already
	Emitted int `json:"emitted"` // new events
}

// backfillCount is how long counting may take.
const backfillCount = 5 * time.Minute

// Backfill makes events of what is there already, as if it came now; what was an event
// before is left out. First everything is counted: more than 1,000 new events want
// confirm to be their number, which the *ConflictError names otherwise, and a dry run
// ends here. Then they are emitted bit by bit, never far ahead of the gate.
//
// A request waits for that for 20 seconds, or until a pause stands in the way, and answers with what was emitted so far; it
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
	f := k.filling.Load()
	if f == nil || dry {
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
		if f, err = k.fill(b, &filling{r: r, found: found, done: make(chan struct{})}, by); err != nil {
			return Backfilled{}, err
		}
	}
	if !f.r.same(r) {
		return Backfilled{}, &ConflictError{Code: "backfill_running", Message: fmt.Sprintf("another backfill of trigger %s is under way, %d of its %d events are made; ask again when it has ended, or edit the trigger to end it",
			k.name, f.emitted.Load(), f.found.Found-f.found.Known)}
	}
	return k.answer(ctx, f)
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
	var n Backfilled
	err := m.ask(ctx, backfillCount, func(ctx context.Context) error {
		return k.each(ctx, b, r, func(found int, fresh []Event) error {
			n.Found += found
			n.Known += found - len(fresh)
			return nil
		})
	})
	if errors.Is(err, errNoAnswer) {
		err = &ConflictError{Code: "no_answer", Message: err.Error()}
	}
	if err != nil {
		return Backfilled{}, fmt.Errorf("count what trigger %s would backfill: %w", k.name, err)
	}
	return n, nil
}

// each tells f what a source has of a range, some at a time: how many there are, and
// which of them are no events of the trigger yet. That the source can't look is a
// *ConflictError.
func (k *keeper) each(ctx context.Context, b Backfiller, r Range, f func(found int, fresh []Event) error) error {
	from, err := k.m.from(ctx, k.id)
	if err != nil {
		return fmt.Errorf("read where trigger %s stands: %w", k.name, err)
	}
	var own error // of what is done with the events, not of the source
	err = b.Backfill(ctx, from, r, func(es []Event) error {
		for part := range slices.Chunk(es, emitBatch) {
			var fresh []Event
			if fresh, own = k.unseen(ctx, part); own == nil {
				own = f(len(part), fresh)
			}
			if own != nil {
				return own
			}
		}
		return context.Cause(ctx)
	})
	var invalid *graph.Invalid
	var conflict *ConflictError
	switch {
	case err == nil, own != nil, errors.As(err, &invalid), errors.As(err, &conflict):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return &ConflictError{Code: "unreadable", Message: clip(err.Error())}
}

// unseen are the events that the trigger does not have. The slice given is left alone.
func (k *keeper) unseen(ctx context.Context, es []Event) ([]Event, error) {
	keys := make([]string, len(es))
	for i := range es {
		keys[i] = es[i].Key
	}
	return k.unknown(ctx, slices.Clone(es), keys)
}
