package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/latticed/latticed/graph"
)

// Found is a dispatch that a filter finds, without what it is about.
type Found struct {
	ID     string
	Number int64
	Status graph.Status
}

// foundStep is how many dispatches are looked up at a time.
const foundStep = 500

// Find returns up to limit of the dispatches that f finds, newest first, and how many
// there are, counted up to count. f.After, f.Limit and f.Ascending mean nothing here.
func (s *Store) Find(ctx context.Context, f DispatchFilter, limit, count int) (found []Found, n int, err error) {
	err = s.snapshot(ctx, func(r *reader) error {
		numbers, err := r.numbers(&f, max(limit, count))
		if err != nil {
			return err
		}
		n = len(numbers)
		found = make([]Found, 0, min(limit, n))
		for part := range slices.Chunk(numbers[:min(limit, n)], foundStep) {
			var some []Found
			if err := r.db.Raw("SELECT id, number, status FROM dispatches WHERE number IN ? AND "+notGoing, part).Scan(&some).Error; err != nil {
				return err
			}
			at := make(map[int64]int, len(part))
			for i, number := range part {
				at[number] = i
			}
			slices.SortFunc(some, func(a, b Found) int { return at[a.Number] - at[b.Number] })
			found = append(found, some...)
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("find dispatches: %w", err)
	}
	return found, n, nil
}

// numbers are the first numbers that a filter finds, newest first.
func (r *reader) numbers(f *DispatchFilter, limit int) ([]int64, error) {
	branches, err := r.dispatchBranches(f)
	if err != nil {
		return nil, err
	}
	var places []place
	for _, b := range branches {
		some, err := r.walk(b, nil, false, limit)
		if err != nil {
			return nil, err
		}
		places = append(places, some...)
	}
	slices.SortFunc(places, func(a, b place) int {
		return -cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.Number, b.Number))
	})
	places = slices.Compact(places)
	numbers := make([]int64, min(limit, len(places)))
	for i := range numbers {
		numbers[i] = places[i].Number
	}
	return numbers, nil
}
