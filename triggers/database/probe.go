package database

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// shown is how many events a preview shows.
const shown = 20

var _ triggers.Prober = (*source)(nil)

// Probe tells what the next poll would find; of a trigger that begins now, or is only
// considered, the last rows of the table as if they came now.
func (s *source) Probe(ctx context.Context, from triggers.From) (triggers.Probed, error) {
	var p triggers.Probed
	err := s.ask(ctx, func(l *link) error {
		return l.use(ctx, func(ctx context.Context, x *session) error {
			var err error
			p, err = s.probe(ctx, x, from)
			return err
		})
	})
	return p, err
}

func (s *source) probe(ctx context.Context, x *session, from triggers.From) (triggers.Probed, error) {
	c, isNew, err := s.read(from.Cursor)
	if err != nil {
		return triggers.Probed{}, err
	}
	l, err := x.layout(ctx, s.table, s.wish)
	if err != nil {
		return triggers.Probed{}, err
	}
	r := x.reading(l, &s.config)
	if s.mode == modeLevel {
		return s.probeLevel(ctx, r, c.Polls)
	}
	p := triggers.Probed{Warnings: s.caveats(x.dialect, l)}
	rows, more, err := s.wouldReport(ctx, r, c, isNew)
	if err != nil {
		return p, err
	}
	p.AsIfNew = isNew && s.start == "now"
	p.Events, err = s.events(l, rows[:min(len(rows), shown)], false)
	if p.Counts.WouldFire = len(rows); more {
		p.Warnings = append(p.Warnings, graph.Warning{Code: "more_rows", Message: fmt.Sprintf("there are more than the %d rows that were counted", len(rows))})
	}
	return p, err
}

// wouldReport is the rows that a poll would find now.
func (s *source) wouldReport(ctx context.Context, r *reading, c cursor, isNew bool) ([]row, bool, error) {
	now := time.Now()
	switch {
	case isNew && s.start == "now":
		last, err := r.last(ctx, shown)
		if err != nil {
			return nil, false, err
		}
		slices.Reverse(last)
		rows, err := r.pick(ctx, last)
		return rows, false, err
	case isNew:
		var err error
		if c.frontier, err = s.begin(ctx, r, now); err != nil {
			return nil, false, err
		}
	}
	p, err := c.look(ctx, r, now, s.limit, s.reach(r.l))
	return p.rows(), p.more || r.full, err
}

// probeLevel tells whether there are rows.
func (s *source) probeLevel(ctx context.Context, r *reading, polls int64) (triggers.Probed, error) {
	rows, err := r.rows(ctx, r.l.statement(r.d, s.clauses), 1)
	if err != nil || len(rows) == 0 {
		return triggers.Probed{}, err
	}
	e, err := s.levelEvent(r.l, rows[0], polls+1)
	return triggers.Probed{Events: []triggers.Event{e}}, err
}
