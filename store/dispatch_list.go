package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/latticed/latticed/graph"
)

// Dispatches returns a page, newest first unless f says otherwise, and the cursor of
// the next, empty on the last. Rows that come or go meanwhile shift nothing.
func (s *Store) Dispatches(ctx context.Context, f DispatchFilter) ([]graph.Dispatch, string, error) {
	var ds []graph.Dispatch
	next := ""
	err := s.snapshot(ctx, func(r *reader) error {
		var err error
		ds, next, err = r.dispatchPage(&f)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list dispatches: %w", err)
	}
	return ds, next, nil
}

// place is where a dispatch stands in the list.
type place struct{ CreatedAt, Number int64 }

// dispatchPage finds the places of a page first, by one ordered walk along an index
// per branch of the filter, and then loads the rows.
func (r *reader) dispatchPage(f *DispatchFilter) ([]graph.Dispatch, string, error) {
	kind := "dispatches"
	if f.Ascending {
		kind = "dispatches+"
	}
	after, err := parseCursor(kind, f.After)
	if err != nil {
		return nil, "", err
	}
	branches, err := r.dispatchBranches(f)
	if err != nil {
		return nil, "", err
	}
	limit := limitOf(f.Limit)
	var places []place
	for _, b := range branches {
		found, err := r.walk(b, after, f.Ascending, limit+1)
		if err != nil {
			return nil, "", err
		}
		places = append(places, found...)
	}
	slices.SortFunc(places, func(a, b place) int {
		c := cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.Number, b.Number))
		if f.Ascending {
			return c
		}
		return -c
	})
	places = slices.Compact(places)
	next := ""
	if len(places) > limit {
		places = places[:limit]
		next = pageCursor{K: kind, A: places[limit-1].CreatedAt, N: places[limit-1].Number}.String()
	}
	ds, err := r.dispatchesAt(places)
	return ds, next, err
}

func (r *reader) dispatchesAt(places []place) ([]graph.Dispatch, error) {
	if len(places) == 0 {
		return nil, nil
	}
	at := make(map[int64]int, len(places))
	for i, p := range places {
		at[p.Number] = i
	}
	var vs []dispatchView
	err := r.db.Raw(selectDispatches+"WHERE d.number IN ?", slices.Collect(maps.Keys(at))).Scan(&vs).Error
	if err != nil {
		return nil, err
	}
	slices.SortFunc(vs, func(a, b dispatchView) int { return at[a.Row.Number] - at[b.Row.Number] })
	return fromDispatchViews(vs)
}

// query is the ordered walk of a branch.
func (b branch) query(after *pageCursor, ascending bool, limit int) (string, []any) {
	created, number := b.order()
	direction, than := "DESC", "<"
	if ascending {
		direction, than = "ASC", ">"
	}
	where, args := b.where()
	if after != nil {
		where += fmt.Sprintf(" AND (%s, %s) %s (?, ?)", created, number, than)
		args = append(args, after.A, after.N)
	}
	return fmt.Sprintf("SELECT %s AS created_at, %s AS number FROM %s WHERE %s ORDER BY %s %s, %s %s LIMIT ?",
		created, number, b.from(), where, created, direction, number, direction), append(args, limit)
}

// walk returns the first places of one branch after a cursor.
func (r *reader) walk(b branch, after *pageCursor, ascending bool, limit int) ([]place, error) {
	q, args := b.query(after, ascending, limit)
	var found []place
	err := r.db.Raw(q, args...).Scan(&found).Error
	return found, err
}
