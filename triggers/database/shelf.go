package database

import (
	"context"
	"slices"
	"time"
)

// reading is a table as a shelf, for as long as one connection is lent.
type reading struct {
	c       conn
	d       dialect
	l       *layout
	clauses []string
	limit   time.Duration // of one statement
	size    int           // of the rows that were read so far, in bytes
	full    bool          // they are many or large: those that followed were left out
}

var _ shelf = (*reading)(nil)

// pickAtOnce is how many rows are asked for by their positions in one statement.
const pickAtOnce = 50

func (r *reading) between(ctx context.Context, f floor, high position, n int) ([]position, error) {
	s := r.ordered()
	s.above(f)
	s.upTo(high)
	return r.positions(ctx, s, false, n)
}

func (r *reading) last(ctx context.Context, n int) ([]position, error) {
	return r.positions(ctx, r.ordered(), true, n)
}

// ordered leaves out rows that have no place in the order.
func (r *reading) ordered() *statement {
	s := r.l.statement(r.d, r.clauses)
	for _, c := range r.l.placing() {
		if !r.l.columns[c].notNull {
			s.where = append(s.where, s.name(c)+" IS NOT NULL")
		}
	}
	return s
}

// positions reads nothing but where rows stand.
func (r *reading) positions(ctx context.Context, s *statement, backwards bool, n int) ([]position, error) {
	var columns []int // order and key, each once
	for _, c := range append(append([]int(nil), r.l.order...), r.l.key...) {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	var there []position
	all := make([]any, len(r.l.columns))
	err := r.c.read(ctx, s.selected(columns, backwards, n), s.args, r.limit, func(values []any) error {
		for i, c := range columns {
			all[c] = values[i]
		}
		there = append(there, r.l.position(all))
		return nil
	})
	return there, err
}

func (r *reading) pick(ctx context.Context, at []position) ([]row, error) {
	var there []row
	for part := range slices.Chunk(at, pickAtOnce) {
		s := r.l.statement(r.d, r.clauses)
		s.among(part)
		rows, err := r.rows(ctx, s, len(part))
		if err != nil {
			return nil, err
		}
		there = append(there, rows...)
	}
	return there, nil
}

func (r *reading) after(ctx context.Context, f floor, n int) ([]row, error) {
	s := r.ordered()
	s.above(f)
	return r.rows(ctx, s, n)
}

func (r *reading) rows(ctx context.Context, s *statement, n int) ([]row, error) {
	columns := make([]int, len(r.l.columns))
	for i := range columns {
		columns[i] = i
	}
	var there []row
	err := r.c.read(ctx, s.selected(columns, false, n), s.args, r.limit, func(values []any) error {
		if r.size > largestRead {
			r.full = true
			return nil
		}
		found := row{at: r.l.position(values), values: values}
		r.size += found.size()
		there = append(there, found)
		return nil
	})
	return there, err
}
