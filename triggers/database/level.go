package database

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/latticed/latticed/triggers"
)

// pollLevel looks whether there are rows. Every so many polls that find some are one
// event; polls that find none don't begin the count again.
func (s *source) pollLevel(ctx context.Context, raw json.RawMessage, emit triggers.Emit) (stamp string, err error) {
	c, isNew, err := s.read(raw)
	if err != nil {
		return "", err
	}
	var l *layout
	var first []row
	err = s.link.use(ctx, func(ctx context.Context, x *session) error {
		var err error
		stamp = x.stamp
		if l, err = x.layout(ctx, s.table, s.wish); err != nil {
			return err
		}
		if err := s.fits(l); err != nil {
			return err
		}
		r := x.reading(l, &s.config)
		first, err = r.rows(ctx, l.statement(x.dialect, s.clauses), 1)
		return err
	})
	if err != nil {
		return "", err
	}
	var b triggers.Batch
	if len(first) > 0 && !isNew {
		c.Polls++
		if c.Polls%s.afterN == 0 {
			e, err := s.levelEvent(l, first[0], c.Polls)
			if err != nil {
				return "", err
			}
			b.Events = []triggers.Event{e}
		}
	}
	if !isNew && len(first) == 0 {
		return stamp, nil
	}
	if b.Cursor, err = json.Marshal(c); err != nil {
		return "", fmt.Errorf("write the cursor: %w", err)
	}
	return stamp, emit(ctx, b)
}

// levelEvent says that there are rows: the first that was found stands for them.
func (s *source) levelEvent(l *layout, first row, polls int64) (triggers.Event, error) {
	now := time.Now().UTC().Format(instantLayout)
	raw, err := l.payload(first.values, payload{Kind: kindRows, Time: now})
	if err != nil {
		return triggers.Event{}, err
	}
	return triggers.Event{Key: fmt.Sprintf("%d %s", polls, now), Kind: kindRows, Payload: raw}, nil
}
