package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/latticed/latticed/graph"
)

// Electrons returns a page of the electrons of a dispatch (id or number) in the order
// of the lattice, with their attempts. Those without a row come from the lattice. No
// statuses: all.
func (s *Store) Electrons(ctx context.Context, dispatch string, statuses []graph.Status, after string, limit int) ([]graph.Electron, string, error) {
	c, err := parseCursor("electrons", after)
	if err != nil {
		return nil, "", err
	}
	from := 0
	if c != nil {
		from = int(c.N) + 1
	}
	d, err := s.Dispatch(ctx, dispatch)
	if err != nil {
		return nil, "", err
	}
	l, err := s.Lattice(ctx, d.LatticeID)
	if err != nil {
		return nil, "", err
	}
	limit = limitOf(limit)
	var page []graph.Electron
	next := ""
	err = s.snapshot(ctx, func(r *reader) error {
		page, next, err = r.electronPage(&d, l, statuses, from, limit)
		return err
	})
	return page, next, err
}

// electronPage walks the lattice from an index on, merging rows and gaps.
func (r *reader) electronPage(d *graph.Dispatch, l *graph.Lattice, statuses []graph.Status, from, limit int) ([]graph.Electron, string, error) {
	page := make([]graph.Electron, 0, limit)
	wanted := func(e *graph.Electron) bool { return len(statuses) == 0 || slices.Contains(statuses, e.Status) }
	gaps := wanted(initialElectron(d, l, 0))
	for from < len(l.Electrons) {
		to := min(from+limit+1, len(l.Electrons))
		where, args := "idx >= ? AND idx < ?", []any{from, to}
		if !gaps { // rows only: no need to go step by step
			to = len(l.Electrons)
			where, args = "idx >= ? AND status IN ?", []any{from, in(statuses)}
		}
		rows, err := r.electrons(d.Number, where, args, limit+1)
		if err != nil {
			return nil, "", err
		}
		for i := range rows {
			if !gaps {
				from = rows[i].Index
			}
			for ; from < rows[i].Index; from++ {
				page = append(page, *initialElectron(d, l, from))
			}
			if wanted(&rows[i]) {
				page = append(page, rows[i])
			}
			from = rows[i].Index + 1
		}
		for ; gaps && from < to; from++ {
			page = append(page, *initialElectron(d, l, from))
		}
		if len(page) > limit {
			page = page[:limit]
			return page, pageCursor{K: "electrons", N: int64(page[limit-1].Index)}.String(), nil
		}
		from = to
	}
	return page, "", nil
}

// initialElectron is an electron without a row.
func initialElectron(d *graph.Dispatch, l *graph.Lattice, i int) *graph.Electron {
	e := graph.Electron{Index: i, Status: graph.Pending}
	if i < len(l.Electrons) {
		e.Name, e.Executor = l.Electrons[i].Name, l.Electrons[i].Executor
	}
	if d.Status == graph.Cancelled { // before it ran
		e.Status, e.Reason, e.EndedAt = graph.Cancelled, reasonCancelled, d.EndedAt
	}
	return &e
}

// Electron returns one by name.
func (s *Store) Electron(ctx context.Context, dispatch, name string) (graph.Electron, error) {
	d, err := s.Dispatch(ctx, dispatch)
	if err != nil {
		return graph.Electron{}, err
	}
	l, err := s.Lattice(ctx, d.LatticeID)
	if err != nil {
		return graph.Electron{}, err
	}
	i := slices.IndexFunc(l.Electrons, func(e graph.Spec) bool { return e.Name == name })
	if i < 0 {
		return graph.Electron{}, fmt.Errorf("dispatch %s: %w", dispatch, notFound("electron", name))
	}
	e := *initialElectron(&d, l, i)
	err = s.snapshot(ctx, func(r *reader) error {
		rows, err := r.electrons(d.Number, "idx = ?", []any{i}, 1)
		if len(rows) > 0 {
			e = rows[0]
		}
		return err
	})
	return e, err
}

// electrons loads rows of one dispatch with their attempts; limit < 0: all.
func (r *reader) electrons(dispatch int64, where string, args []any, limit int) ([]graph.Electron, error) {
	var rows []electronRow
	err := r.db.Where("dispatch = ?", dispatch).Where(where, args...).Order("idx").Limit(limit).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var attempts []attemptRow
	first, last := rows[0].Idx, rows[len(rows)-1].Idx
	err = r.db.Where("dispatch = ? AND electron BETWEEN ? AND ?", dispatch, first, last).Order("electron, n").Find(&attempts).Error
	if err != nil {
		return nil, err
	}
	es := make([]graph.Electron, len(rows))
	for i := range rows {
		if es[i], err = fromElectronRow(&rows[i]); err != nil {
			return nil, err
		}
		for len(attempts) > 0 && attempts[0].Electron <= rows[i].Idx {
			if attempts[0].Electron == rows[i].Idx {
				a, err := fromAttemptRow(&attempts[0])
				if err != nil {
					return nil, err
				}
				es[i].Attempts = append(es[i].Attempts, a)
			}
			attempts = attempts[1:]
		}
	}
	return es, nil
}

func fromElectronRow(r *electronRow) (graph.Electron, error) {
	e := graph.Electron{
		Index: r.Idx, Name: r.Name, Status: graph.Status(r.Status), Reason: r.Reason, Executor: r.Executor,
		Result: fromAssetColumns(r.Result, r.ResultSize), Pickle: fromAssetColumns(r.Pickle, r.PickleSize),
		ReusedFrom: r.ReusedFrom, StartedAt: fromMicros(r.StartedAt), EndedAt: fromMicros(r.EndedAt),
	}
	var err [3]error
	e.Waiting, err[0] = fromJSONText[graph.Waiting](r.Waiting)
	e.Error, err[1] = fromJSONText[graph.Error](r.Error)
	e.Files, err[2] = fromJSONMap[graph.Asset](r.Files)
	return e, errors.Join(err[:]...)
}

func fromAttemptRow(r *attemptRow) (graph.Attempt, error) {
	a := graph.Attempt{
		ID: r.ID, N: r.N, Status: graph.Status(r.Status), ExitCode: r.ExitCode, Signal: r.Signal,
		Handle: fromRawText(r.Handle), WorkDir: r.WorkDir,
		Stdout: fromAssetColumns(r.Stdout, r.StdoutSize), Stderr: fromAssetColumns(r.Stderr, r.StderrSize),
		StartedAt: fromMicros(r.StartedAt), EndedAt: fromMicros(r.EndedAt),
	}
	var err [3]error
	a.Error, err[0] = fromJSONText[graph.Error](r.Error)
	a.Usage, err[1] = fromJSONText[graph.Usage](r.Usage)
	a.Notes, err[2] = attemptNotes(r.Notes)
	return a, errors.Join(err[:]...)
}
