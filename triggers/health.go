package triggers

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// Log keys; the same words everywhere.
const (
	keyTrigger = "trigger"
	keyStatus  = "status"
	keyReason  = "reason"
	keyDur     = "dur"
)

// healthRetry is how soon a state is offered again to a ledger that refused it.
const healthRetry = 5 * time.Second

// PanicError is a panic of a source or an expression, contained.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// contained runs f and turns a panic into a *PanicError.
func contained(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	return f()
}

// report is From.Health of the trigger's source.
func (k *keeper) report(s State, reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx.Err() != nil {
		return // stopped, or left behind
	}
	defer k.settledOnce.Do(func() { close(k.settled) })
	if k.health.state == s && k.health.reason == reason && !k.health.unstored {
		return
	}
	k.health.state, k.health.reason = s, reason
	k.storeHealth(k.ctx)
}

// gateHealth notes whether the gate works. k.mu is held.
func (k *keeper) gateHealth(err error) {
	gate := ""
	if err != nil {
		gate = err.Error()
	}
	if gate != k.health.gate || k.health.unstored {
		k.health.gate = gate
		k.storeHealth(k.ctx)
	}
}

// state is what people see: a pause hides how the source is doing only as long as it
// is well. k.mu is held.
func (k *keeper) state() (State, string) {
	s, reason := k.health.state, k.health.reason
	switch {
	case k.health.gate != "":
		s, reason = Failing, k.health.gate
	case s == Failing:
	case k.vigil.reason != "":
		s, reason = Failing, k.vigil.reason
	case k.health.loops != "" && s != Preparing:
		if s == Degraded {
			reason = "; " + reason
		} else {
			reason = ""
		}
		s, reason = Degraded, k.health.loops+reason
	case k.health.rejects != "" && s == Active:
		s, reason = Degraded, k.health.rejects
	}
	if k.paused {
		if s == Active || s == Preparing {
			reason = ""
		}
		s = Paused
	}
	return s, reason
}

// storeHealth writes the state down. What the ledger refuses is kept, shown and
// offered again. k.mu is held.
func (k *keeper) storeHealth(ctx context.Context) {
	k.show()
	s, reason := k.state()
	changed := s != k.trigger.State || reason != k.trigger.Reason
	if !changed && !k.health.unstored {
		return
	}
	k.trigger.State, k.trigger.Reason = s, reason
	if changed {
		k.m.opts.Log.Info().Str(keyTrigger, k.name).Str(keyStatus, string(s)).Str(keyReason, reason).Msg("trigger state")
	}
	if err := k.m.ledger.SetTriggerState(ctx, k.id, s, reason, time.Time{}); err != nil {
		if ctx.Err() != nil {
			return
		}
		if !k.health.unstored {
			k.m.opts.Log.Error().Str(keyTrigger, k.name).Err(err).Msg("trigger state not stored")
		}
		k.health.unstored = true
		k.decideIn(healthRetry)
		return
	}
	k.health.unstored = false
}
