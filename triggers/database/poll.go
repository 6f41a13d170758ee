package database

import (
	"context"
	"slices"
	"time"
)

// shelf is a table as a poll reads it: in the order of positions, and what the
// where-clauses leave of it.
type shelf interface {
	// between is the positions above a floor up to and including high, n at most.
	between(ctx context.Context, f floor, high position, n int) ([]position, error)
	// pick is the rows at some positions that are still there.
	pick(ctx context.Context, at []position) ([]row, error)
	// after is the first rows above a floor, n at most.
	after(ctx context.Context, f floor, n int) ([]row, error)
	// last is the positions of the last rows, the last one first, n at most.
	last(ctx context.Context, n int) ([]position, error)
}

// floor is a place that rows are above.
type floor struct {
	at     *position // nil: all rows are
	strict bool      // else rows of the same order are above it, too
}

// found is what a poll has found.
type found struct {
	late, fresh []row
	more        bool // there is more: poll again
	raised      bool // the frontier has let go of what it looked back at
}

func (p found) rows() []row { return append(p.late[:len(p.late):len(p.late)], p.fresh...) }

// look finds rows that are new, at most limit of them above high and as many below. The
// frontier has them behind it afterwards, and more when there is an error.
func (f *frontier) look(ctx context.Context, s shelf, now time.Time, limit int, r reach) (found, error) {
	var p found
	var err error
	high, missed := f.high(), false // missed: not all that came late is found yet
	was, known := floor{f.Floor, f.Strict}, map[mark]bool{}
	if f.overlaps() {
		known = f.known()
		if p.late, missed, err = f.overlooked(ctx, s, *high, limit, known); err != nil {
			return found{}, err
		}
	}
	fresh, err := s.after(ctx, floor{high, high != nil && high.Key != nil}, limit)
	if err != nil {
		return found{}, err
	}
	p.fresh, p.more = fresh, missed || len(fresh) == limit
	settle := func() { p.raised = !missed && f.settle(now, r) || p.raised }
	f.overtaken(places(p.late), now, r)
	settle()
	f.advance(places(fresh), now, r)
	settle() // of what is new, where nothing is looked back at
	if f.Floor != was.at {
		for _, at := range append(places(p.late), places(fresh)...) {
			known[at.mark] = true
		}
		err = f.retie(ctx, s, was, known, r)
	}
	return p, err
}

// retie finds what ties with a new floor in the order of the database, which may be
// coarser than ours: to it "a" and "A" may be the same, or 1.5 and 1.50. Else what ties
// would be taken for new. What was not seen is new, though, and may tie all the same,
// unless it was below a floor already that was a row.
func (f *frontier) retie(ctx context.Context, s shelf, was floor, known map[mark]bool, r reach) error {
	if f.Strict || !coarse(f.Floor.Order) {
		return nil
	}
	ties := floor{at: &position{Order: f.Floor.Order}}
	if was.strict {
		done, err := s.between(ctx, ties, *was.at, r.most+1)
		if err != nil {
			return err
		}
		for _, at := range done {
			known[marked(at).mark] = true
		}
	}
	there, err := s.between(ctx, ties, *f.Floor, r.most+1)
	if err != nil {
		return err
	}
	if f.Ties = nil; len(there) > r.most {
		f.Strict = true
		return nil
	}
	for _, at := range there {
		if m := marked(at).mark; known[m] {
			f.Ties = append(f.Ties, m)
		}
	}
	return nil
}

// coarse tells whether a database may take different values for the same.
func coarse(order []atom) bool {
	return slices.ContainsFunc(order, func(a atom) bool {
		switch a.v.(type) {
		case string, decimal, float64, document:
			return true
		}
		return false
	})
}

// overlooked is the rows at or below high that were not seen.
func (f *frontier) overlooked(ctx context.Context, s shelf, high position, limit int, known map[mark]bool) ([]row, bool, error) {
	there, err := s.between(ctx, floor{f.Floor, f.Strict}, high, len(known)+limit)
	if err != nil {
		return nil, false, err
	}
	var missed []position
	for _, at := range there {
		if !known[marked(at).mark] {
			missed = append(missed, at)
		}
	}
	if len(missed) == 0 {
		return nil, false, nil
	}
	rows, err := s.pick(ctx, missed[:min(limit, len(missed))])
	return rows, len(rows) > 0 && len(rows) < len(missed), err
}

// baseline is how many rows at the end of a table are taken for seen when a trigger
// begins now: what appears between them is new.
const baseline = 256

// begin is the frontier of a trigger that begins now.
func begin(ctx context.Context, s shelf, now time.Time, r reach) (frontier, error) {
	last, err := s.last(ctx, baseline)
	if err != nil {
		return frontier{}, err
	}
	rows := make([]placed, len(last))
	for i, at := range last {
		rows[len(last)-1-i] = marked(at)
	}
	var f frontier
	if len(rows) == baseline {
		f.Floor, f.Strict, rows = &rows[0].position, true, rows[1:]
	}
	f.advance(rows, now, r)
	return f, nil
}

func places(rows []row) []placed {
	all := make([]placed, len(rows))
	for i := range rows {
		all[i] = marked(rows[i].at)
	}
	return all
}
