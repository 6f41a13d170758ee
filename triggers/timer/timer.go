package timer

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const (
	// fastest is the shortest interval.
	fastest = time.Second
	// inWindow is how late a tick may be by default.
	inWindow = 24 * time.Hour
	// atMost is how many missed ticks run by default where all are caught up with.
	atMost = 100

	instant = "2006-01-02T15:04:05.000000Z" // RFC 3339, µs, UTC
	date    = "2006-01-02"
)

// Kinds of events.
const (
	kindTick   = "tick"
	kindMissed = "missed" // stands for instants that are not run
	kindManual = "manual" // fired by hand: the instant is that one
)

// Kind is the kind "time".
func Kind(f *triggers.Fields) triggers.Made {
	s, fill := readSchedule(f)
	s.policy = readPolicy(f, s.completion)
	s.jitter = readJitter(f, s)
	warnings := narrow(s)
	s.window, s.grace = s.window+s.jitter.most, s.grace+s.jitter.most // who waits on purpose is not late
	m := triggers.Made{
		Source: s, Overlap: triggers.Skip, MaxInFlight: 1,
		Event: graph.Env{
			"time": graph.String, "local": graph.String, "date": graph.String,
			"missed": graph.Integer, "kind": graph.String, "backfill": graph.Boolean,
		},
		Judge: s.judge, Fill: fill, AfterRuns: s.completion, Warnings: warnings,
	}
	switch s.catchUp {
	case catchUpLast:
		m.Merge = merge
	case catchUpAll:
		m.Overlap = triggers.Queue // to skip them while the first one runs is not to catch up
	case catchUpNone:
		m.SkipPaused = true
	}
	return m
}

// payload is the event of a tick.
type payload struct {
	Backfill bool   `json:"backfill"`
	Date     string `json:"date"`
	Kind     string `json:"kind"`
	Local    string `json:"local"`
	Missed   int64  `json:"missed"`
	Time     string `json:"time"`
}

// event is what happens at an instant.
func (s *source) event(key string, p payload, at time.Time) (triggers.Event, error) {
	local := at.In(s.zone)
	p.Time, p.Local, p.Date = at.UTC().Format(instant), local.Format(time.RFC3339), local.Format(date)
	raw, err := json.Marshal(p)
	if err != nil {
		return triggers.Event{}, fmt.Errorf("write the event: %w", err)
	}
	return triggers.Event{Key: key + p.Time, Kind: p.Kind, Payload: raw}, nil
}

var _ triggers.Occasioner = (*source)(nil)

// Occasion is a tick that somebody makes by hand: of now.
func (s *source) Occasion(at time.Time) (json.RawMessage, error) {
	e, err := s.event("", payload{Kind: kindManual}, at)
	return e.Payload, err
}

// judge skips what is not to be caught up with.
func (s *source) judge(fields map[string]any, stored time.Time) triggers.Judgement {
	if backfill, _ := fields["backfill"].(bool); backfill {
		return triggers.Judgement{}
	}
	text, _ := fields["time"].(string)
	at, err := time.Parse(instant, text)
	missed := fields["kind"] == kindMissed
	switch {
	case err == nil && stored.Sub(at) > s.window:
		return triggers.Judgement{Skip: triggers.ReasonWindow}
	case missed && s.catchUp == catchUpAll:
		return triggers.Judgement{Skip: triggers.ReasonCap}
	case missed:
		return triggers.Judgement{Skip: triggers.ReasonCatchUp}
	}
	return triggers.Judgement{}
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
