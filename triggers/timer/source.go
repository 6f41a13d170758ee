package timer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/latticed/latticed/triggers"
)

// idle is a wait without end.
const idle = 10 * 365 * 24 * time.Hour

// source ticks. It is of one trigger.
type source struct {
	every      time.Duration // of an interval; else 0
	completion bool          // the interval begins when the last dispatch has ended
	fixed      schedule      // of anything but an interval
	rule       string        // what fixed was made from: another rule begins anew
	zone       *time.Location
	jitter     jitter
	policy
}

// cursor is where a trigger stands. Times are µs since the epoch.
type cursor struct {
	Every  int64  `json:"every,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Anchor int64  `json:"anchor"`
	Last   int64  `json:"last"` // the last instant that was due
	// High is up to when instants have been accounted for, while the clock, which was
	// set back, is behind that.
	High int64 `json:"high,omitempty"`
	// Left counts instants that found no room among the ticks that wait, and LeftAt is
	// the last of them: they become one event when there is room again.
	Left   int64 `json:"left,omitempty"`
	LeftAt int64 `json:"left_at,omitempty"`
	// Next is when the next tick is due, as far as people were told; with completion only.
	Next int64 `json:"next,omitempty"`
}

// schedule is when a trigger ticks that stands at c.
func (s *source) schedule(c cursor) schedule {
	if s.fixed != nil {
		return s.fixed
	}
	return rate{anchor: time.UnixMicro(c.Anchor), every: s.every}
}

// fresh is the cursor of a trigger that begins now: what was before is not its matter.
func (s *source) fresh(now time.Time) cursor {
	us := now.UnixMicro()
	c := cursor{Every: s.every.Microseconds(), Rule: s.rule, Anchor: us, Last: us}
	if s.completion {
		c.Next = us + c.Every
	}
	return c
}

// read is a stored cursor; another schedule than this one's begins anew.
func (s *source) read(raw json.RawMessage, now time.Time) (c cursor, isNew bool, err error) {
	if raw == nil {
		return s.fresh(now), true, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, false, fmt.Errorf("read the cursor: %w", err)
	}
	if c.Every != s.every.Microseconds() || c.Rule != s.rule {
		return s.fresh(now), true, nil
	}
	return c, false, nil
}

// Check refuses a trigger that would never tick.
func (s *source) Check(context.Context) error {
	l, ok := s.fixed.(list)
	if ok && len(l) > 0 && l.next(time.Now()).IsZero() {
		return over(l[len(l)-1].In(s.zone))
	}
	return nil
}

// Run emits what is due and asks to be run again for the next instant.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := time.Now().Truncate(time.Microsecond)
	c, isNew, err := s.read(from.Cursor, now)
	if err != nil {
		return err
	}
	switch {
	case isNew:
		err = s.begin(ctx, c, emit)
	case !s.completion && now.Before(time.UnixMicro(c.Last)):
		// The clock was set back. Ticking goes on from here; instants that come again
		// are known by their key.
		c.High = max(c.High, c.Last)
		c.Last = now.UnixMicro()
		err = s.begin(ctx, c, emit)
	}
	if err != nil {
		return err
	}
	if s.completion {
		return s.runAfter(ctx, c, now, from, emit)
	}
	return s.runDue(ctx, c, now, from, emit)
}

// begin stores from where on a trigger ticks.
func (s *source) begin(ctx context.Context, c cursor, emit triggers.Emit) error {
	if s.completion {
		return s.save(ctx, c, nil, time.UnixMicro(c.Next), emit)
	}
	_, next := s.jitter.horizon(s.schedule(c), time.UnixMicro(c.Last), time.UnixMicro(c.Last))
	return s.save(ctx, c, nil, next, emit)
}

// runDue ticks by the clock.
func (s *source) runDue(ctx context.Context, c cursor, now time.Time, from triggers.From, emit triggers.Emit) error {
	sched, last := s.schedule(c), time.UnixMicro(c.Last)
	end, next := s.jitter.horizon(sched, last, now)
	if newest := tail(sched, last, end, 1); len(newest) > 0 || c.Left > 0 {
		room, err := s.room(ctx, from)
		if err != nil {
			return err
		}
		in := span{last: last, high: time.UnixMicro(max(c.High, c.Last)), end: end, now: now}
		ticks, l := s.due(sched, in, room)
		if len(newest) > 0 {
			c.Last = newest[0].UnixMicro()
		}
		if c.High <= c.Last {
			c.High = 0
		}
		if l.n > 0 {
			c.Left, c.LeftAt = c.Left+l.n, l.at.UnixMicro()
		}
		events, err := s.events(&c, ticks, room)
		if err != nil {
			return err
		}
		if len(newest) > 0 || len(events) > 0 {
			if err := s.save(ctx, c, events, next, emit); err != nil {
				return err
			}
		}
	}
	health, wake := "", next
	if next.IsZero() {
		health, wake = "nothing is left to come: every instant of `at` is over", now.Add(idle)
	}
	if c.Left > 0 { // nobody tells when there is room
		wake = earlier(wake, now.Add(recheck))
	}
	from.Health(triggers.Active, health)
	return triggers.Until(wake) // run earlier when the clock was stepped or the machine slept
}

// room is how many more ticks may wait.
func (s *source) room(ctx context.Context, from triggers.From) (int64, error) {
	if s.catchUp != catchUpAll || from.Runs == nil {
		return s.most, nil
	}
	runs, err := from.Runs(ctx)
	if err != nil {
		return 0, fmt.Errorf("count the ticks that wait: %w", err)
	}
	return max(0, s.most-runs.Undecided), nil
}

// events makes events of ticks, and one of the instants that were left out.
func (s *source) events(c *cursor, ticks []tick, room int64) ([]triggers.Event, error) {
	var events []triggers.Event
	if c.Left > 0 && room > 0 {
		e, err := s.event(kindMissed+" ", payload{Kind: kindMissed, Missed: c.Left - 1}, time.UnixMicro(c.LeftAt))
		if err != nil {
			return nil, err
		}
		events = append(events, e)
		c.Left, c.LeftAt = 0, 0
	}
	for _, t := range ticks {
		e, err := s.event("", payload{Kind: kindTick, Missed: t.missed}, t.at)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// save stores where the trigger stands, with what happened. next is zero when nobody
// knows it.
func (s *source) save(ctx context.Context, c cursor, events []triggers.Event, next time.Time, emit triggers.Emit) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the cursor: %w", err)
	}
	return emit(ctx, triggers.Batch{Cursor: raw, Events: events, Next: next, NoNext: next.IsZero()})
}
