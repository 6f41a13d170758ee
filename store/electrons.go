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
	var page []graph.Electron
	next := ""
	err = s.quick(ctx, func(q querier) error {
		d, l, err := s.ownerOf(q, dispatch)
		if err == nil {
			page, next, err = electronPage(q, &d, l, statuses, from, limitOf(limit))
		}
		return err
	})
	return page, next, err
}

// Shown returns a dispatch (id or number) with the first of its electrons, as they
// stand at one moment.
func (s *Store) Shown(ctx context.Context, dispatch string, limit int) (d graph.Dispatch, es []graph.Electron, err error) {
	err = s.quick(ctx, func(q querier) error {
		if d, err = dispatchBy(q, dispatch); err != nil {
			return err
		}
		l, err := s.lattice(q, d.LatticeID)
		if err == nil {
			es, _, err = electronPage(q, &d, l, nil, 0, limitOf(limit))
		}
		return err
	})
	return d, es, err
}

// ownerOf reads what electrons without a row follow from, and no more: a dispatch may
// have a result of megabytes, and be asked for each of its electrons.
func (s *Store) ownerOf(q querier, dispatch string) (d graph.Dispatch, l *graph.Lattice, err error) {
	number, err := dispatchNumber(q, dispatch)
	if err != nil {
		return d, nil, err
	}
	var status string
	var ended int64
	err = q.row("SELECT d.number, d.status, d.ended_at, l.id FROM dispatches d JOIN lattices l ON l.n = d.lattice WHERE d.number = ?",
		[]any{number}, &d.Number, &status, &ended, &d.LatticeID)
	if err != nil {
		return d, nil, err
	}
	d.Status, d.EndedAt = graph.Status(status), fromMicros(ended)
	l, err = s.lattice(q, d.LatticeID)
	return d, l, err
}

// electronPage walks the lattice from an index on, merging rows and gaps.
func electronPage(q querier, d *graph.Dispatch, l *graph.Lattice, statuses []graph.Status, from, limit int) ([]graph.Electron, string, error) {
	page := make([]graph.Electron, 0, limit)
	wanted := func(e *graph.Electron) bool { return len(statuses) == 0 || slices.Contains(statuses, e.Status) }
	gaps := wanted(initialElectron(d, l, 0))
	for from < len(l.Electrons) {
		to := min(from+limit+1, len(l.Electrons))
		where, args := "idx >= ? AND idx < ?", []any{from, to}
		if !gaps { // rows only: no need to go step by step
			to = len(l.Electrons)
			where, args = "idx >= ? AND status IN "+values(1, len(statuses)), []any{from}
			for _, st := range statuses {
				args = append(args, string(st))
			}
		}
		rows, err := electronsOf(q, d.Number, where, args, limit+1)
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

func electronNames(l *graph.Lattice) []string {
	names := make([]string, len(l.Electrons))
	for i := range l.Electrons {
		names[i] = l.Electrons[i].Name
	}
	return names
}

// Electron returns one by name.
func (s *Store) Electron(ctx context.Context, dispatch, name string) (e graph.Electron, err error) {
	err = s.quick(ctx, func(q querier) error {
		d, l, err := s.ownerOf(q, dispatch)
		if err != nil {
			return err
		}
		i, known := l.Index(name)
		if !known {
			return fmt.Errorf("dispatch %d: %w", d.Number, &MissingError{What: "electron", Name: name, Near: graph.Suggest(name, electronNames(l))})
		}
		e = *initialElectron(&d, l, i)
		rows, err := electronsOf(q, d.Number, "idx = ?", []any{i}, 1)
		if len(rows) > 0 {
			e = rows[0]
		}
		return err
	})
	return e, err
}

const selectElectrons = `SELECT idx, name, status, reason, waiting, executor, result, result_size, pickle, pickle_size, error, files,
	reused_from, reuse, stdout, stdout_size, stderr, stderr_size, cancel_requested_at, started_at, ended_at FROM electrons WHERE dispatch = ? AND `

const selectAttempts = `SELECT electron, n, id, status, exit_code, signal, handle, error, usage, work_dir, notes,
	stdout, stdout_size, stderr, stderr_size, started_at, ended_at
	FROM attempts WHERE dispatch = ? AND electron BETWEEN ? AND ? ORDER BY electron, n`

// electronsOf loads rows of one dispatch with their attempts; limit < 0: all.
func electronsOf(q querier, dispatch int64, where string, args []any, limit int) ([]graph.Electron, error) {
	var es []graph.Electron
	args = append(append([]any{dispatch}, args...), limit)
	err := q.rows(selectElectrons+where+" ORDER BY idx LIMIT ?", args, func(row rowScanner) error {
		var r electronRow
		err := row.Scan(&r.Idx, &r.Name, &r.Status, &r.Reason, &r.Waiting, &r.Executor, &r.Result, &r.ResultSize, &r.Pickle, &r.PickleSize,
			&r.Error, &r.Files, &r.ReusedFrom, &r.Reuse, &r.Stdout, &r.StdoutSize, &r.Stderr, &r.StderrSize, &r.CancelRequestedAt,
			&r.StartedAt, &r.EndedAt)
		if err != nil {
			return err
		}
		e, err := fromElectronRow(&r)
		es = append(es, e)
		return err
	})
	if err != nil || len(es) == 0 {
		return nil, err
	}
	at := 0
	err = q.rows(selectAttempts, []any{dispatch, es[0].Index, es[len(es)-1].Index}, func(row rowScanner) error {
		var r attemptRow
		err := row.Scan(&r.Electron, &r.N, &r.ID, &r.Status, &r.ExitCode, &r.Signal, &r.Handle, &r.Error, &r.Usage, &r.WorkDir, &r.Notes,
			&r.Stdout, &r.StdoutSize, &r.Stderr, &r.StderrSize, &r.StartedAt, &r.EndedAt)
		if err != nil {
			return err
		}
		for at < len(es) && es[at].Index < r.Electron {
			at++
		}
		if at == len(es) || es[at].Index != r.Electron {
			return nil
		}
		a, err := fromAttemptRow(&r)
		es[at].Attempts = append(es[at].Attempts, a)
		return err
	})
	return es, err
}

func fromElectronRow(r *electronRow) (graph.Electron, error) {
	e := graph.Electron{
		Index: r.Idx, Name: r.Name, Status: graph.Status(r.Status), Reason: r.Reason, Executor: r.Executor,
		Result: fromAssetColumns(r.Result, r.ResultSize), Pickle: fromAssetColumns(r.Pickle, r.PickleSize),
		ReusedFrom: r.ReusedFrom, Reuse: r.Reuse,
		Stdout: fromAssetColumns(r.Stdout, r.StdoutSize), Stderr: fromAssetColumns(r.Stderr, r.StderrSize),
		CancelRequestedAt: fromMicros(r.CancelRequestedAt), StartedAt: fromMicros(r.StartedAt), EndedAt: fromMicros(r.EndedAt),
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
