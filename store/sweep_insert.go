package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/latticed/latticed/graph"
)

// InsertSweep stores dispatches that graph.Together made a sweep, all or none, and
// returns them filled in as InsertDispatch does. When there are dispatches of a sweep of
// that name, a number is added to it, or, if it has to be this one, a *ConflictError
// says so.
func (s *Store) InsertSweep(ctx context.Context, ds []graph.Dispatch, exact bool) ([]graph.Dispatch, error) {
	if len(ds) == 0 {
		return nil, errors.New("a sweep without dispatches")
	}
	var out []graph.Dispatch
	err := s.change(ctx, func(t *tx) error {
		out = append([]graph.Dispatch(nil), ds...) // a unit may run twice
		if err := t.nameSweep(out, exact); err != nil {
			return err
		}
		if err := t.parents(out); err != nil {
			return err
		}
		if err := t.insertTogether(out, triggerRef{}); err != nil {
			return err
		}
		return t.effect(out)
	})
	if err != nil {
		return nil, fmt.Errorf("insert sweep %s: %w", ds[0].Labels[graph.SweepLabel], err)
	}
	return out, nil
}

// parents looks whether those that dispatches are made from are there still, which is
// often one for all.
func (t *tx) parents(ds []graph.Dispatch) error {
	for i := range ds {
		id := ds[i].ParentID
		if id == "" || i > 0 && id == ds[i-1].ParentID {
			continue
		}
		if err := t.there(id); err != nil {
			return err
		}
	}
	return nil
}

const namedSweep = "SELECT dispatch FROM dispatch_labels WHERE key = ? AND value = ? LIMIT 1"

// nameSweep finds a name that no other sweep has.
func (t *tx) nameSweep(ds []graph.Dispatch, exact bool) error {
	asked := ds[0].Labels[graph.SweepLabel]
	name := asked
	for n := 2; ; n++ {
		var other int64
		err := t.row(namedSweep, []any{graph.SweepLabel, name}, &other)
		switch {
		case errors.Is(err, sql.ErrNoRows) && name == asked:
			return nil
		case errors.Is(err, sql.ErrNoRows):
			rename(ds, name)
			return nil
		case err != nil:
			return err
		case exact:
			return &ConflictError{Code: "name_taken", Message: fmt.Sprintf(
				"there is a sweep named %s already, dispatch %d is of it; choose another name", asked, other)}
		}
		name = fmt.Sprintf("%s-%d", asked, n)
	}
}

// rename gives the dispatches of a sweep another label, and leaves the caller's alone.
func rename(ds []graph.Dispatch, name string) {
	for i := range ds {
		ds[i].Labels = maps.Clone(ds[i].Labels)
		ds[i].Labels[graph.SweepLabel] = name
	}
}

// insertTogether inserts dispatches. Those of a sweep of their own get its number, which
// is that of the first of them.
func (t *tx) insertTogether(ds []graph.Dispatch, trigger triggerRef) error {
	first := int64(0)
	for i := range ds {
		d := &ds[i]
		if d.Sweep != 0 && len(d.First) > 0 {
			return fmt.Errorf("dispatch %s belongs to a sweep and can't start as it is stored", d.ID)
		}
		own := d.Sweep == graph.OwnSweep
		if own {
			d.Sweep = first
		}
		if d.Held && d.Sweep == 0 {
			return fmt.Errorf("dispatch %s waits for a sweep that nothing of runs", d.ID)
		}
		if err := t.insertDispatch(d, trigger); err != nil {
			return err
		}
		if !own || first != 0 {
			continue
		}
		first, d.Sweep = d.Number, d.Number
		if err := t.guarded("UPDATE dispatches SET sweep = number WHERE number = ?", first); err != nil {
			return err
		}
	}
	return nil
}
