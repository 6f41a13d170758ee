package timer

import (
	"context"
	"fmt"
	"time"

	"github.com/latticed/latticed/triggers"
)

// recheck is how long the source trusts that it is told of ended dispatches. Nobody
// tells it of events that are skipped while they wait.
const recheck = 30 * time.Second

// runAfter ticks so long after the last dispatch has ended. As long as one runs, or an
// event waits that may become one, there is nothing to wait for but its end.
func (s *source) runAfter(ctx context.Context, c cursor, now time.Time, from triggers.From, emit triggers.Emit) error {
	var runs triggers.Runs
	if from.Runs != nil {
		var err error
		if runs, err = from.Runs(ctx); err != nil {
			return fmt.Errorf("ask how the last dispatch stands: %w", err)
		}
	}
	from.Health(triggers.Active, "")
	if runs.InFlight > 0 || runs.Undecided > 0 {
		if c.Next != 0 { // somebody fired it by hand
			c.Next = 0
			if err := s.save(ctx, c, nil, time.Time{}, emit); err != nil {
				return err
			}
		}
		return triggers.Until(now.Add(recheck))
	}
	at := afterEnd(c, s.every, runs.LastEnd)
	if at.After(now.Add(s.every)) {
		// The dispatch ended while the clock was ahead. Its end counts no more, and
		// the wait begins now.
		c.High, c.Last, c.Next = max(c.High, runs.LastEnd.UnixMicro()), now.UnixMicro(), 0
		at = now.Add(s.every)
	}
	if at.After(now) {
		if c.Next != at.UnixMicro() {
			c.Next = at.UnixMicro()
			if err := s.save(ctx, c, nil, at, emit); err != nil {
				return err
			}
		}
		return triggers.Until(at)
	}
	ticks := []tick{{at: at}}
	c.Last, c.Next = now.UnixMicro(), 0
	if s.catchUp == catchUpNone && now.Sub(at) > s.grace {
		ticks, c.Left, c.LeftAt = nil, 1, at.UnixMicro()
	}
	events, err := s.events(&c, ticks, 1)
	if err != nil {
		return err
	}
	if err := s.save(ctx, c, events, time.Time{}, emit); err != nil {
		return err
	}
	return triggers.Until(now) // to see whether it runs
}

// afterEnd is when the next tick is due while nothing runs: so long after the last
// dispatch has ended, or after the last tick if that made none.
func afterEnd(c cursor, every time.Duration, end time.Time) time.Time {
	base := time.UnixMicro(c.Last)
	if us := end.UnixMicro(); !end.IsZero() && us > c.High {
		base = later(base, time.UnixMicro(us))
	}
	return base.Add(every)
}
