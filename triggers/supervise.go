package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/latticed/latticed/graph"
)

// Back-off of a source that ended.
const (
	backoffMin = 500 * time.Millisecond
	backoffMax = time.Minute
	// calm is how long a source has to work for its troubles to be forgotten.
	calm = 2 * time.Minute
)

// errEnded means that a source returned although nobody asked it to.
var errEnded = errors.New("the source ended by itself")

// run is the goroutine of the trigger: it runs the source once and arranges for the
// next time.
func (k *keeper) run() {
	began := time.Now()
	err := contained(func() error { return k.watch(k.ctx) })
	if k.ctx.Err() != nil {
		return
	}
	var until *UntilError
	if errors.As(err, &until) {
		k.backoff = 0
		k.runIn(time.Until(until.At), sourceWaits)
		return
	}
	if errors.Is(err, ErrRevised) {
		k.outdated()
		return
	}
	k.failed(err)
	if time.Since(began) > calm {
		k.backoff = 0
	}
	k.backoff = min(max(2*k.backoff, backoffMin), backoffMax)
	k.runIn(k.backoff/2+rand.N(k.backoff/2+1), sourceFailed)
}

// sourceState is what a source does between two runs.
type sourceState uint8

const (
	sourceRuns sourceState = iota
	sourceWaits
	sourceFailed // hints do not shorten the back-off
)

// runIn runs the source after d. Nothing of the trigger's lives until then.
func (k *keeper) runIn(d time.Duration, state sourceState) {
	k.kick.Lock()
	defer k.kick.Unlock()
	switch {
	case k.kick.stopped:
	case state == sourceWaits && (k.kick.hinted || d <= 0):
		k.begin()
	default:
		k.kick.source = state
		if k.kick.next == nil {
			k.kick.next = time.AfterFunc(d, k.runNow)
		} else {
			k.kick.next.Reset(d)
		}
	}
}

// runNow runs the source if it doesn't run.
func (k *keeper) runNow() {
	k.kick.Lock()
	defer k.kick.Unlock()
	if !k.kick.stopped && k.kick.source != sourceRuns {
		k.begin()
	}
}

// hint is From.Wake of the trigger's source.
func (k *keeper) hint() {
	k.kick.Lock()
	defer k.kick.Unlock()
	switch {
	case k.kick.stopped:
	case k.kick.source == sourceWaits:
		if k.kick.next != nil {
			k.kick.next.Stop()
		}
		k.begin()
	default:
		k.kick.hinted = true
	}
}

// begin starts the goroutine of the source. k.kick is held.
func (k *keeper) begin() {
	k.kick.source, k.kick.hinted = sourceRuns, false
	k.work.Go(k.run)
}

// watch runs the source once.
func (k *keeper) watch(ctx context.Context) error {
	source, cursor, err := k.prepare(ctx)
	if err != nil {
		return err
	}
	from := From{
		Cursor:   cursor,
		Entities: func(ctx context.Context, f func(Change) error) error { return k.m.ledger.Entities(ctx, k.id, f) },
		Entity:   func(ctx context.Context, key []byte) (Change, bool, error) { return k.m.ledger.Entity(ctx, k.id, key) },
		Runs:     func(ctx context.Context) (Runs, error) { return k.m.ledger.Runs(ctx, k.id) },
		Ended:    k.m.endsOf(k.m.followers.of(k)),
		Known:    func(ctx context.Context, keys []string) ([]string, error) { return k.m.ledger.Known(ctx, k.id, keys) },
		Fits:     k.fits,
		Trigger:  k.id,
		Health:   k.report,
		Wake:     k.hint,
	}
	if err := source.Run(ctx, from, k.emit); err != nil {
		return err
	}
	return errEnded
}

// prepare reads where the source left off, and makes the plan of a trigger that could
// not be planned before: its target may be back, or the ledger.
func (k *keeper) prepare(ctx context.Context) (Source, json.RawMessage, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.plan == nil {
		t := k.trigger
		p, err := newPlan(ctx, k.m.ledger, k.m.kinds, &t)
		if err != nil {
			return nil, nil, err
		}
		p.trim()
		k.plan = p
		k.promise(&p.made)
		k.remember()
		k.tellMisfit()
		k.keepVigil()
		k.forget()
		k.decideSoon()
	}
	if !k.cursorKnown {
		cursor, err := k.m.ledger.Cursor(ctx, k.id)
		if err != nil {
			return nil, nil, fmt.Errorf("read the cursor: %w", err)
		}
		k.cursor, k.cursorKnown = cursor, true
	}
	return k.plan.made.Source, k.cursor, nil
}

// failed shows why the source does not run.
func (k *keeper) failed(err error) {
	var p *PanicError
	if errors.As(err, &p) {
		k.m.opts.Log.Error().Str(keyTrigger, k.name).Err(err).Bytes("stack", p.Stack).Msg("source panicked")
	}
	reason := err.Error()
	var invalid *graph.Invalid
	if errors.As(err, &invalid) {
		reason = "the trigger does not fit any more: " + reason
	}
	k.report(Failing, clip(reason))
}
