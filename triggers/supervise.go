package triggers

import (
	"context"
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

// run is the goroutine of the trigger: it runs the source, again and again.
func (k *keeper) run() {
	defer close(k.done)
	defer k.settledOnce.Do(func() { close(k.settled) })
	// What waited before this process was there may have nothing to wait for now.
	k.decideSoon()
	for wait := backoffMin; ; wait = min(2*wait, backoffMax) {
		began := time.Now()
		err := contained(func() error { return k.watch(k.ctx) })
		if k.ctx.Err() != nil {
			return
		}
		k.failed(err)
		if time.Since(began) > calm {
			wait = backoffMin
		}
		pause := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-k.ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// watch runs the source once.
func (k *keeper) watch(ctx context.Context) error {
	source, id, err := k.prepare(ctx)
	if err != nil {
		return err
	}
	cursor, err := k.ledger.Cursor(ctx, id)
	if err != nil {
		return fmt.Errorf("read the cursor: %w", err)
	}
	from := From{
		Cursor:   cursor,
		Entities: func(ctx context.Context, f func(Change) error) error { return k.ledger.Entities(ctx, id, f) },
		Health:   k.report,
	}
	if err := source.Run(ctx, from, k.emit); err != nil {
		return err
	}
	return errEnded
}

// prepare makes the plan of a trigger that could not be planned before: its target
// may be back, or the ledger.
func (k *keeper) prepare(ctx context.Context) (Source, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.plan == nil {
		t := k.trigger
		p, err := newPlan(ctx, k.ledger, k.kinds, &t)
		if err != nil {
			return nil, "", err
		}
		k.plan = p
		k.forget()
		k.decideSoon()
	}
	return k.plan.made.Source, k.trigger.ID, nil
}

// failed shows why the source does not run.
func (k *keeper) failed(err error) {
	var p *PanicError
	if errors.As(err, &p) {
		k.log.Error().Err(err).Bytes("stack", p.Stack).Msg("source panicked")
	}
	reason := err.Error()
	var invalid *graph.Invalid
	if errors.As(err, &invalid) {
		reason = "the trigger does not fit any more: " + reason
	}
	k.report(Failing, clip(reason))
}
