package triggers

import (
	"context"
	"time"
)

const (
	// clockLook is how often the clock is looked at.
	clockLook = 10 * time.Second
	// clockStep is how far the wall clock may run away from the time that passes
	// before everybody has to look again.
	clockStep = time.Second
)

// watchClock wakes every source and every gate when the wall clock was set, or the
// machine has slept: their timers count the time that passes, in which neither is
// seen. It is a goroutine of the manager's, and lives until ctx ends.
func (m *Manager) watchClock(ctx context.Context) {
	look := time.NewTicker(clockLook)
	defer look.Stop()
	c := newClock(time.Now())
	var set <-chan struct{}
	if m.opts.ClockSet != nil {
		set = m.opts.ClockSet(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-set:
		case <-look.C:
		}
		now := time.Now()
		if by := c.stepped(now.Round(0), now.Sub(c.began)); by != 0 {
			m.opts.Log.Info().Dur("by", by).Msg("the clock was set or the machine slept: every trigger looks again")
			m.wakeAll()
		}
	}
}

// wakeAll makes every trigger look at what the clock says.
func (m *Manager) wakeAll() {
	for _, k := range m.snapshot() {
		k.clockSet()
	}
}

// clock compares the wall clock with the time that passes.
type clock struct {
	began time.Time // with both
	ahead time.Duration
}

func newClock(now time.Time) *clock { return &clock{began: now} }

// stepped tells by how much the wall clock was set since it was asked last; 0: by
// nothing to speak of. Small steps add up. passed is what has passed since it began.
func (c *clock) stepped(wall time.Time, passed time.Duration) time.Duration {
	ahead := wall.Sub(c.began.Round(0)) - passed
	by := ahead - c.ahead
	if by.Abs() <= clockStep {
		return 0
	}
	c.ahead = ahead
	return by
}

// byClock is an instant as the clock of now tells it: without what has passed since, in
// which the machine may have slept; now, when the clock was set back since.
func byClock(at, now time.Time) time.Time {
	if at = at.Round(0); at.After(now) {
		return now
	}
	return at
}

// reclock takes up that the clock was set. k.mu is held.
func (k *keeper) reclock() {
	k.firedKnown = false
	now := time.Now()
	for i := range k.window {
		k.window[i].At = byClock(k.window[i].At, now)
	}
}
