package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/latticed/latticed/triggers"
)

const (
	// page is how many ends are read at a time.
	page = 256
	// recheck is when a source looks although nobody has woken it.
	recheck = 5 * time.Minute
	// ahead is how many ends that are not its own a source passes over before it stores
	// how far it is: read again they are passed over again.
	ahead = 10_000
)

// source is of one trigger. Its state belongs to the goroutine of Run.
type source struct {
	of triggers.Follows

	at     *cursor // where it is; nil: as stored
	passed int64   // ends since that was stored
}

// cursor is where a trigger stands in the order of ends.
type cursor struct {
	After int64           `json:"after"`
	Of    json.RawMessage `json:"of"` // what it was about: another rule begins with what ends from then on
}

// Run emits the ends that came since the last time, and waits for more.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defer func() {
		if !isUntil(err) {
			s.at = nil // what is stored counts
		}
	}()
	if s.at == nil {
		if err := s.begin(ctx, from, emit); err != nil {
			return err
		}
	}
	from.Health(triggers.Active, "")
	for {
		ends, place, err := from.Ended(ctx, s.at.After, page)
		if err != nil {
			return fmt.Errorf("read what has ended: %w", err)
		}
		if place == s.at.After {
			return triggers.Until(time.Now().Add(recheck))
		}
		if err := s.follow(ctx, from.Trigger, ends, place, emit); err != nil {
			return err
		}
	}
}

// begin finds out where to begin: where it was, or, at first, with what ends from now on.
func (s *source) begin(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	rule, err := json.Marshal(s.of)
	if err != nil {
		return err
	}
	var c cursor
	if from.Cursor != nil {
		if err := json.Unmarshal(from.Cursor, &c); err != nil {
			return fmt.Errorf("read the cursor: %w", err)
		}
	}
	if string(c.Of) != string(rule) {
		_, now, err := from.Ended(ctx, -1, 0)
		if err != nil {
			return fmt.Errorf("find out what has ended: %w", err)
		}
		c = cursor{After: now, Of: rule}
		if err := save(ctx, c, nil, emit); err != nil {
			return err
		}
	}
	s.at, s.passed = &c, 0
	return nil
}

// follow emits the ends up to a place.
func (s *source) follow(ctx context.Context, trigger string, ends []triggers.Ended, place int64, emit triggers.Emit) error {
	var events []triggers.Event
	for i := range ends {
		e, err := event(&ends[i], trigger)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	next := cursor{After: place, Of: s.at.Of}
	s.passed += place - s.at.After
	if len(events) > 0 || s.passed >= ahead {
		if err := save(ctx, next, events, emit); err != nil {
			return err
		}
		s.passed = 0
	}
	s.at = &next
	return nil
}

func save(ctx context.Context, c cursor, events []triggers.Event, emit triggers.Emit) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the cursor: %w", err)
	}
	return emit(ctx, triggers.Batch{Cursor: raw, Events: events, NoNext: true})
}

func isUntil(err error) bool {
	_, until := err.(*triggers.UntilError) //nolint:errorlint // Run returns it as it is
	return until
}
