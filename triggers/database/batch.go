package database

import (
	"context"
	"encoding/json"
	"time"

	"github.com/latticed/latticed/triggers"
)

// largestBatch is about how much is copied and stored at once, in bytes.
const largestBatch = 8 << 20

// largestRead ends a read of rows that are larger than those before, in bytes.
const largestRead = 4 * largestBatch

// batch is what one read has found, with the cursor behind it.
type batch struct {
	cursor cursor
	isNew  bool // the trigger begins here
	raised bool // the cursor looks back less far
	events []triggers.Event
	more   bool
	stamp  string
}

// reach is how far a trigger looks back.
func (c *config) reach(l *layout) reach {
	return reach{lookBack: c.lookBack, most: mostSeen, unique: l.unique}
}

// next reads what is new after a stored cursor; nothing is stored.
func (s *source) next(ctx context.Context, raw json.RawMessage) (batch, error) {
	var b batch
	var l *layout
	var p found
	var r *reading
	err := s.link.use(ctx, func(ctx context.Context, x *session) error {
		var err error
		b = batch{stamp: x.stamp}
		if b.cursor, b.isNew, err = s.read(raw); err != nil {
			return err
		}
		if l, err = x.layout(ctx, s.table, s.wish); err != nil {
			return err
		}
		if err := s.fits(l); err != nil {
			return err
		}
		now := time.Now()
		r = x.reading(l, &s.config)
		if b.isNew {
			b.more = s.start != "now" // at once, after the beginning is stored
			b.cursor.frontier, err = s.begin(ctx, r, now)
			return err
		}
		p, err = b.cursor.look(ctx, r, now, s.atOnce(), s.reach(l))
		return err
	})
	if err != nil {
		return batch{}, err
	}
	b.more, b.raised = b.more || p.more || r.full, p.raised
	b.events, err = s.events(l, p.rows(), false)
	s.learn(p.rows())
	return b, err
}

// atFirst is how many rows are read while nobody knows how large they are.
const atFirst = 32

// atOnce is how many rows are read at a time: fewer when they are large.
func (s *source) atOnce() int {
	if s.fat == 0 {
		return min(s.limit, atFirst)
	}
	return max(1, min(s.limit, largestBatch/s.fat))
}

// learn notes how large rows are where they are read, which may be far more than what is
// handed over of them.
func (s *source) learn(rows []row) {
	if len(rows) == 0 {
		return
	}
	size := 0
	for _, r := range rows {
		size += r.size()
	}
	s.fat = max(1, size/len(rows))
}

// size is about how much memory the values of a row take, in bytes.
func (r row) size() int {
	n := 0
	for _, v := range r.values {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		case decimal:
			n += len(v)
		case document:
			n += len(v)
		}
		n += 16
	}
	return n
}

// events makes events of rows. It may be called beside Run.
func (s *source) events(l *layout, rows []row, backfill bool) ([]triggers.Event, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	now := time.Now().UTC().Format(instantLayout)
	events := make([]triggers.Event, len(rows))
	for i, r := range rows {
		var err error
		if events[i].Key, err = eventKey(r.at, l.unique); err != nil {
			return nil, err
		}
		if events[i].Payload, err = l.payload(r.values, payload{Kind: kindRow, Time: now, Backfill: backfill}); err != nil {
			return nil, err
		}
		events[i].Kind = kindRow
	}
	return events, nil
}
