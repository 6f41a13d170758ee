package triggers

import (
	"fmt"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

const (
	// silencePrefix begins the reason of a silent trigger.
	silencePrefix = "silent: "
	// silenceGrace is how long a source has after a start of the daemon to find what
	// came while nobody looked.
	silenceGrace = time.Minute
)

// vigil waits for a trigger whose events are expected. What it knows is found again
// after a restart: the last event and the last edit or resume are stored.
type vigil struct {
	heard  time.Time   // the last event; or the registration, the edit or the resume
	timer  *time.Timer // nil until it is needed
	reason string      // why the trigger counts as silent; empty: it doesn't
}

// keepVigil begins to wait for events, if any are expected. k.mu is held, or k is new.
func (k *keeper) keepVigil() {
	if k.plan == nil || k.plan.expect == 0 {
		return
	}
	t, now := &k.trigger, time.Now()
	for _, at := range []time.Time{t.CreatedAt, t.UpdatedAt, t.LastEventAt} {
		if at.After(k.vigil.heard) {
			k.vigil.heard = at
		}
	}
	if k.vigil.heard.IsZero() || k.vigil.heard.After(now) {
		k.vigil.heard = now
	}
	left := k.vigil.heard.Add(k.plan.expect).Sub(now)
	if left <= 0 && t.State == Failing && strings.HasPrefix(t.Reason, silencePrefix) {
		k.vigil.reason = t.Reason // it was silent before, and still is
		return
	}
	k.appointVigil(max(left, min(silenceGrace, k.plan.expect)))
}

func (k *keeper) appointVigil(d time.Duration) {
	switch {
	case k.paused || k.ctx.Err() != nil:
	case k.vigil.timer == nil:
		k.vigil.timer = time.AfterFunc(d, k.overdue)
	default:
		k.vigil.timer.Reset(d)
	}
}

// overdue is the timer of a vigil.
func (k *keeper) overdue() {
	k.kick.Lock()
	defer k.kick.Unlock()
	if !k.kick.stopped {
		k.work.Go(k.lookForSilence)
	}
}

// lookForSilence tells that an event is overdue, unless one came meanwhile.
func (k *keeper) lookForSilence() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx.Err() != nil || k.paused || k.plan == nil || k.plan.expect == 0 {
		return
	}
	if left := time.Until(k.vigil.heard.Add(k.plan.expect)); left > 0 {
		k.appointVigil(left)
		return
	}
	k.vigil.reason = fmt.Sprintf("%sno event since %s (expect_every %s)", silencePrefix, k.vigil.heard.UTC().Format(time.RFC3339), graph.Span(k.plan.expect))
	k.storeHealth(k.ctx)
}

// hear notes that an event was stored. k.mu is held.
func (k *keeper) hear() {
	if k.plan == nil || k.plan.expect == 0 {
		return
	}
	k.vigil.heard = time.Now()
	if k.vigil.reason != "" {
		k.vigil.reason = ""
		k.appointVigil(k.plan.expect)
		k.storeHealth(k.ctx)
	}
}

// restVigil is about a pause, during which nothing is expected. k.mu is held.
func (k *keeper) restVigil() {
	k.vigil.reason = ""
	if k.vigil.timer != nil {
		k.vigil.timer.Stop()
	}
}

// wakeVigil begins anew after a pause. k.mu is held.
func (k *keeper) wakeVigil() {
	if k.plan != nil && k.plan.expect > 0 {
		k.vigil.heard = time.Now()
		k.appointVigil(k.plan.expect)
	}
}
