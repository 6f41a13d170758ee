// Package timer is the trigger kind "time": it ticks at a fixed rate.
//
// The instants of a trigger are anchor + n × every, for n = 1, 2, 3 …; the anchor is
// when it was registered or its rate was changed. They do not drift, and each is one
// event: its key is the instant. What was missed while nobody watched is caught up
// with one tick, the last one, which says how many were missed before it; it is skipped
// when even that is longer ago than the window. So are the ticks of a pause: one is
// held, the last one, which counts the others.
//
// The source starts no goroutine, and has none while it waits.
package timer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const (
	// maxNap bounds a wait: the clock may jump, and a machine may sleep.
	maxNap = 30 * time.Second
	// fastest is the shortest interval.
	fastest = time.Second
	// catchUp is how late a tick may be by default.
	catchUp = 24 * time.Hour

	instant = "2006-01-02T15:04:05.000000Z" // RFC 3339, µs, UTC
)

// later are fields of other ways to say when, which this version does not have.
var later = [...]string{"cron", "at", "timezone", "dst", "jitter", "cap", "after"}

// Kind is the kind "time".
func Kind(f *triggers.Fields) triggers.Made {
	s := &source{}
	switch gap, every := f.Has("time_gap"), f.Has("every"); {
	case gap && every:
		f.Refuse("every", graph.CodeBadValue, "time_gap and every mean the same: give one of them")
		f.Alias("time_gap")
		f.Alias("every")
	case gap:
		s.every = f.Duration("time_gap", fastest, fastest).Truncate(time.Microsecond)
		f.Alias("every")
	case every:
		s.every = f.Duration("every", fastest, fastest).Truncate(time.Microsecond)
		f.Alias("time_gap")
	default:
		f.Alias("time_gap")
		f.Alias("every")
		if !otherway(f) {
			f.Refuse("every", graph.CodeMissing, "say how often: every (such as 10m) or time_gap (seconds)")
		}
	}
	for _, field := range later {
		if f.Has(field) {
			f.Alias(field)
			f.Refuse(field, graph.CodeUnknownKey, "%s is not supported by this version: time triggers take every or time_gap", field)
		}
	}
	f.OneOf("catch_up", "last", "last")
	window := f.Duration("window", catchUp, time.Minute)
	return triggers.Made{
		Source: s, Overlap: triggers.Skip, MaxInFlight: 1,
		Event: graph.Env{"time": graph.String, "missed": graph.Integer, "kind": graph.String},
		Judge: func(fields map[string]any, stored time.Time) triggers.Judgement {
			if late(fields, stored, window) {
				return triggers.Judgement{Skip: triggers.ReasonWindow}
			}
			return triggers.Judgement{}
		},
		Merge: merge,
	}
}

func late(fields map[string]any, stored time.Time, window time.Duration) bool {
	text, _ := fields["time"].(string)
	at, err := time.Parse(instant, text)
	return err == nil && stored.Sub(at) > window
}

// merge is the later of two ticks, which has missed the earlier one too.
func merge(held, next json.RawMessage) (json.RawMessage, error) {
	var h, n payload
	if err := errors.Join(json.Unmarshal(held, &h), json.Unmarshal(next, &n)); err != nil {
		return nil, fmt.Errorf("read a tick: %w", err)
	}
	n.Missed += h.Missed + 1
	return json.Marshal(n)
}

func otherway(f *triggers.Fields) bool {
	for _, field := range later {
		if f.Has(field) {
			return true
		}
	}
	return false
}

type source struct{ every time.Duration }

// cursor is where a trigger stands. Times are µs since the epoch.
type cursor struct {
	Every  int64 `json:"every"`
	Anchor int64 `json:"anchor"`
	Last   int64 `json:"last"` // the last instant that was due
	// High is up to when instants have been accounted for, while the clock, which was
	// set back, is behind that.
	High int64 `json:"high,omitempty"`
}

// payload is the event of a tick.
type payload struct {
	Kind   string `json:"kind"`
	Missed int64  `json:"missed"`
	Time   string `json:"time"`
}

// tick is what is due.
type tick struct {
	at     time.Time // zero: nothing
	missed int64     // instants before it that nobody saw
	next   time.Time // the next one
}

// due says what has become due after last, up to now. Instants up to high were
// accounted for already: they are not missed. It is pure.
func due(anchor time.Time, every time.Duration, last, high, now time.Time) tick {
	nth := func(t time.Time) int64 { // rounded down, before the anchor too
		d := t.Sub(anchor)
		n := int64(d / every)
		if d%every < 0 {
			n--
		}
		return n
	}
	n, seen := nth(now), nth(last)
	t := tick{next: anchor.Add(time.Duration(n+1) * every)}
	if seen < n {
		t.at = anchor.Add(time.Duration(n) * every)
		t.missed = max(0, n-max(seen, nth(high))-1)
	}
	return t
}

// Run emits what is due and asks to be run again for the next instant.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	c, err := s.load(ctx, from, emit)
	if err != nil {
		return err
	}
	from.Health(triggers.Active, "")
	now := time.Now()
	if now.Before(time.UnixMicro(c.Last)) {
		// The clock was set back. Ticking goes on from here; instants that come
		// again are known by their key.
		c.High = max(c.High, c.Last)
		if c, err = s.store(ctx, c, now, time.Time{}, emit); err != nil {
			return err
		}
	}
	t := due(time.UnixMicro(c.Anchor), s.every, time.UnixMicro(c.Last), time.UnixMicro(max(c.High, c.Last)), now)
	if !t.at.IsZero() {
		b, err := s.batch(c, t)
		if err != nil {
			return err
		}
		if err := emit(ctx, b); err != nil {
			return err
		}
	}
	return triggers.Until(earlier(t.next, now.Add(maxNap)))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// load reads the cursor, or takes the baseline: the clock of now.
func (s *source) load(ctx context.Context, from triggers.From, emit triggers.Emit) (cursor, error) {
	var c cursor
	if from.Cursor != nil {
		if err := json.Unmarshal(from.Cursor, &c); err != nil {
			return c, fmt.Errorf("read the cursor: %w", err)
		}
		if c.Every == s.every.Microseconds() {
			return c, nil
		}
	}
	now := time.Now().Truncate(time.Microsecond)
	c = cursor{Every: s.every.Microseconds(), Anchor: now.UnixMicro()}
	return s.store(ctx, c, now, now.Add(s.every), emit)
}

// store writes down that the instants up to last are over.
func (s *source) store(ctx context.Context, c cursor, last, next time.Time, emit triggers.Emit) (cursor, error) {
	c.Last = last.UnixMicro()
	raw, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("write the cursor: %w", err)
	}
	return c, emit(ctx, triggers.Batch{Cursor: raw, Next: next})
}

// batch is a tick as the manager takes it.
func (s *source) batch(c cursor, t tick) (triggers.Batch, error) {
	if c.Last = t.at.UnixMicro(); c.High <= c.Last {
		c.High = 0
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return triggers.Batch{}, fmt.Errorf("write the cursor: %w", err)
	}
	at := t.at.UTC().Format(instant)
	event, err := json.Marshal(payload{"tick", t.missed, at})
	if err != nil {
		return triggers.Batch{}, fmt.Errorf("write the event: %w", err)
	}
	return triggers.Batch{
		Cursor: raw, Next: t.next,
		Events: []triggers.Event{{Key: at, Kind: "tick", Payload: event}},
	}, nil
}
