package timer

import (
	"context"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const (
	ahead = 10  // instants that a preview shows
	shown = 20  // events that a preview shows
	page  = 100 // events of a backfill at a time
)

var (
	_ triggers.Checker    = (*source)(nil)
	_ triggers.Prober     = (*source)(nil)
	_ triggers.Backfiller = (*source)(nil)
)

// Probe tells the next instants and what is to be caught up with.
func (s *source) Probe(ctx context.Context, from triggers.From) (triggers.Probed, error) {
	now := time.Now().Truncate(time.Microsecond)
	c, isNew, err := s.read(from.Cursor, now)
	if err != nil {
		return triggers.Probed{}, err
	}
	if s.completion {
		return s.probeAfter(ctx, c, now, from)
	}
	sched, last := s.schedule(c), time.UnixMicro(c.Last)
	p := triggers.Probed{Timezone: s.zone.String()}
	for at := sched.next(now); !at.IsZero() && len(p.Next) < ahead; at = sched.next(at) {
		p.Next = append(p.Next, at)
	}
	if isNew || now.Before(last) {
		return p, nil
	}
	end, _ := s.jitter.horizon(sched, last, now)
	missed := sched.count(last, end)
	if missed == 0 {
		return p, nil
	}
	room, err := s.room(ctx, from)
	if err != nil {
		return p, err
	}
	ticks, _ := s.due(sched, span{last: last, high: time.UnixMicro(max(c.High, c.Last)), end: end, now: now}, room)
	p.CatchUp = &triggers.CatchUp{Missed: missed, Since: last}
	for _, t := range ticks {
		if now.Sub(t.at) > s.window {
			continue // it would be skipped
		}
		p.CatchUp.WouldRun++
		if len(p.Events) == shown {
			continue
		}
		e, err := s.event("", payload{Kind: kindTick, Missed: t.missed}, t.at)
		if err != nil {
			return p, err
		}
		p.Events = append(p.Events, e)
	}
	p.Counts.WouldFire = int(p.CatchUp.WouldRun)
	return p, nil
}

// probeAfter tells the one instant that is known, unless a dispatch runs.
func (s *source) probeAfter(ctx context.Context, c cursor, now time.Time, from triggers.From) (triggers.Probed, error) {
	var runs triggers.Runs
	if from.Runs != nil {
		var err error
		if runs, err = from.Runs(ctx); err != nil {
			return triggers.Probed{}, fmt.Errorf("ask how the last dispatch stands: %w", err)
		}
	}
	if runs.InFlight > 0 || runs.Undecided > 0 {
		return triggers.Probed{}, nil
	}
	at := earlier(afterEnd(c, s.every, runs.LastEnd), now.Add(s.every))
	return triggers.Probed{Timezone: s.zone.String(), Next: []time.Time{later(at, now)}}, nil
}

// Backfill lists the instants of a range as if they came now.
func (s *source) Backfill(ctx context.Context, from triggers.From, r triggers.Range, f func([]triggers.Event) error) error {
	now := time.Now().Truncate(time.Microsecond)
	switch {
	case s.completion:
		return refuse("since", "a trigger with after: completion has no instants of its own; fire it by hand")
	case r.Path != "":
		return refuse("path", "a time trigger watches no path; give since and until")
	case r.Since.IsZero():
		return refuse("since", "say from when on: a time trigger has no beginning")
	}
	end := now
	if !r.Until.IsZero() {
		end = earlier(r.Until.Add(-time.Nanosecond), now) // before it, as with files
	}
	c, _, err := s.read(from.Cursor, now)
	if err != nil {
		return err
	}
	sched := s.schedule(c)
	events := make([]triggers.Event, 0, page)
	for at := sched.next(r.Since.Add(-time.Microsecond)); !at.IsZero() && !at.After(end); at = sched.next(at) {
		e, err := s.event("", payload{Kind: kindTick, Backfill: true}, at)
		if err != nil {
			return err
		}
		if events = append(events, e); len(events) < page {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := f(events); err != nil {
			return err
		}
		events = make([]triggers.Event, 0, page)
	}
	if len(events) == 0 {
		return nil
	}
	return f(events)
}

func refuse(field, message string) error {
	return &graph.Invalid{Problems: []graph.Problem{{Path: field, Code: graph.CodeBadValue, Message: message}}}
}
