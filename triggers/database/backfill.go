package database

import (
	"context"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// page is how many rows of a backfill are read at a time.
const page = 500

var _ triggers.Backfiller = (*source)(nil)

// Backfill reports the rows that are there, in their order, with the keys that they
// would have had.
func (s *source) Backfill(ctx context.Context, _ triggers.From, r triggers.Range, f func([]triggers.Event) error) error {
	switch {
	case s.mode == modeLevel:
		return refuse("mode", graph.CodeBadValue, "mode level reports that there are rows, not each of them; there is nothing to make up for")
	case r.Path != "":
		return refuse("path", graph.CodeBadValue, "rows have no path; give since and until, or nothing for all rows")
	}
	l, err := s.pool.join(ctx, s.place)
	if err != nil {
		return err
	}
	defer s.pool.leave(l)
	for after := (floor{}); ; {
		rows, events, more, err := s.backfillPage(ctx, l, after, r)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			if err := f(events); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		after = floor{&rows[len(rows)-1].at, true}
	}
}

// backfillPage reads a page of rows, and makes events of those within a range; more: it
// is not the last one.
func (s *source) backfillPage(ctx context.Context, l *link, after floor, r triggers.Range) (rows []row, events []triggers.Event, more bool, err error) {
	var table *layout
	err = l.use(ctx, func(ctx context.Context, x *session) error {
		var err error
		if table, err = x.layout(ctx, s.table, s.wish); err != nil {
			return err
		}
		if err := table.ranges(r); err != nil {
			return err
		}
		reading := x.reading(table, &s.config)
		rows, err = reading.after(ctx, after, page)
		more = len(rows) == page || reading.full
		return err
	})
	if err != nil {
		return nil, nil, false, err
	}
	var wanted []row
	for _, row := range rows {
		if table.within(row, r) {
			wanted = append(wanted, row)
		}
	}
	events, err = s.events(table, wanted, true)
	return rows, events, more, err
}

// ranges refuses instants when nothing says when a row came.
func (l *layout) ranges(r triggers.Range) error {
	c := l.columns[l.order[0]]
	if (!r.Since.IsZero() || !r.Until.IsZero()) && c.class != classInstant && c.class != classWall {
		return refuse("since", graph.CodeBadValue, "rows are ordered by %s, which is no instant; since and until need a cursor that is one", c.name)
	}
	return nil
}

func (l *layout) within(r row, in triggers.Range) bool {
	var at time.Time
	switch v := r.values[l.order[0]].(type) {
	case time.Time:
		at = v
	case wall:
		at = v.Time
	default:
		return true
	}
	return (in.Since.IsZero() || !at.Before(in.Since)) && (in.Until.IsZero() || at.Before(in.Until))
}
