package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/latticed/latticed/graph"
)

// dispatchView is a dispatch with the names behind its references.
type dispatchView struct {
	Row         dispatchRow `gorm:"embedded"`
	LatticeID   string
	TriggerID   string
	TriggerName string
	RootID      string
}

// notGoing leaves out the dispatch that is being pruned in parts, of which there is a part
// at most: from the first part on it is gone for everybody but the pruner.
const notGoing = "number <> coalesce((SELECT value FROM meta WHERE key = '" + pruningKey + "'), 0)"

// selectDispatches is followed by WHERE …; columns of the dispatch have the prefix d.
const selectDispatches = `SELECT d.*, l.id AS lattice_id, t.id AS trigger_id, t.name AS trigger_name, r.id AS root_id
	FROM dispatches d JOIN lattices l ON l.n = d.lattice AND d.` + notGoing + `
	LEFT JOIN triggers t ON t.n = d.trigger LEFT JOIN dispatches r ON r.number = d.root `

func fromDispatchView(v *dispatchView) (graph.Dispatch, error) {
	r := &v.Row
	d := graph.Dispatch{
		ID: r.ID, Number: r.Number, LatticeID: v.LatticeID, LatticeName: r.LatticeName,
		Status: graph.Status(r.Status), Reason: r.Reason, CancelRequestedAt: fromMicros(r.CancelRequestedAt), Marked: r.Marked,
		Inputs: fromRawText(r.Inputs), Result: fromRawText(r.Result),
		Note: r.Note, Keep: r.Keep, Owner: r.Owner, CreatedBy: r.CreatedBy, RunAs: r.RunAs,
		ParentID: r.ParentID, RootID: v.RootID, TriggerID: v.TriggerID, Trigger: v.TriggerName, FiringID: r.FiringID,
		CreatedAt: fromMicros(r.CreatedAt), StartedAt: fromMicros(r.StartedAt), EndedAt: fromMicros(r.EndedAt),
		Total: r.Total, Counts: r.counts(), Seq: r.Seq,
		Reuse: r.Reuse, Sweep: r.Sweep, Held: r.Held != 0,
	}
	if d.RootID == "" {
		d.RootID = d.ID
	}
	var err [3]error
	d.Waiting, err[0] = fromJSONText[graph.Waiting](r.Waiting)
	d.Error, err[1] = fromJSONText[graph.Error](r.Error)
	d.Labels, err[2] = fromJSONMap[string](r.Labels)
	return d, errors.Join(err[:]...)
}

func (r *dispatchRow) counts() graph.Counts {
	left := r.Running + r.Completed + r.Failed + r.Cancelled + r.Skipped
	return graph.Counts{
		Pending: r.Total - left, Running: r.Running, Completed: r.Completed,
		Failed: r.Failed, Cancelled: r.Cancelled, Skipped: r.Skipped,
	}
}

func fromDispatchViews(vs []dispatchView) ([]graph.Dispatch, error) {
	ds := make([]graph.Dispatch, len(vs))
	for i := range vs {
		var err error
		if ds[i], err = fromDispatchView(&vs[i]); err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// isNumber tells a dispatch's number from its id.
func isNumber(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

// oneDispatch is selectDispatches with its columns in the order of places.
const oneDispatch = `SELECT d.number, d.id, d.seq, d.status, d.running, d.completed, d.failed, d.cancelled, d.skipped, d.total,
	d.reason, d.waiting, d.cancel_requested_at, d.marked, d.lattice, d.lattice_name, d.owner, d.created_by, d.run_as, d.parent_id, d.root,
	d.reuse, d.sweep, d.held, d.trigger, d.firing_id, d.labels, d.note, d.keep, d.created_at, d.started_at, d.ended_at, d.error, d.result, d.inputs,
	l.id, t.id, t.name, r.id
	FROM dispatches d JOIN lattices l ON l.n = d.lattice AND d.` + notGoing + `
	LEFT JOIN triggers t ON t.n = d.trigger LEFT JOIN dispatches r ON r.number = d.root `

func (v *dispatchView) places() []any {
	r := &v.Row
	return []any{
		&r.Number, &r.ID, &r.Seq, &r.Status, &r.Running, &r.Completed, &r.Failed, &r.Cancelled, &r.Skipped, &r.Total,
		&r.Reason, &r.Waiting, &r.CancelRequestedAt, &r.Marked, &r.Lattice, &r.LatticeName, &r.Owner, &r.CreatedBy, &r.RunAs, &r.ParentID, &r.Root,
		&r.Reuse, &r.Sweep, &r.Held, &r.Trigger, &r.FiringID, &r.Labels, &r.Note, &r.Keep, &r.CreatedAt, &r.StartedAt, &r.EndedAt, &r.Error, &r.Result, &r.Inputs,
		&v.LatticeID, &v.TriggerID, &v.TriggerName, &v.RootID,
	}
}

// dispatchesBy reads dispatches; where may order and limit them.
func dispatchesBy(q querier, where string, args ...any) ([]graph.Dispatch, error) {
	var ds []graph.Dispatch
	err := q.rows(oneDispatch+where, args, func(r rowScanner) error {
		var v dispatchView
		if err := r.Scan(v.places()...); err != nil {
			return err
		}
		d, err := fromDispatchView(&v)
		ds = append(ds, d)
		return err
	})
	return ds, err
}

func dispatchBy(q querier, idOrNumber string) (graph.Dispatch, error) {
	where, arg := "WHERE d.id = ?", any(idOrNumber)
	if n, ok := isNumber(idOrNumber); ok {
		where, arg = "WHERE d.number = ?", n
	}
	ds, err := dispatchesBy(q, where, arg)
	if err != nil {
		return graph.Dispatch{}, err
	}
	if len(ds) == 0 {
		return graph.Dispatch{}, notFound("dispatch", idOrNumber)
	}
	return ds[0], nil
}

// there refuses what is to be made from a dispatch that was removed meanwhile.
func (t *tx) there(dispatch string) error {
	var one int
	err := t.row("SELECT 1 FROM dispatches WHERE id = ? AND "+notGoing, []any{dispatch}, &one)
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("dispatch", dispatch)
	}
	return err
}

// dispatchNumber resolves an id or number.
func dispatchNumber(q querier, idOrNumber string) (int64, error) {
	where, arg := "id = ?", any(idOrNumber)
	if n, ok := isNumber(idOrNumber); ok {
		where, arg = "number = ?", n
	}
	var n int64
	err := q.row("SELECT number FROM dispatches WHERE "+notGoing+" AND "+where, []any{arg}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("dispatch", idOrNumber)
	}
	return n, err
}

// Dispatch returns one by id or number.
func (s *Store) Dispatch(ctx context.Context, idOrNumber string) (d graph.Dispatch, err error) {
	err = s.quick(ctx, func(q querier) error {
		d, err = dispatchBy(q, idOrNumber)
		return err
	})
	return d, err
}

// Standing returns the id of a dispatch (id or number) and the state it is in.
func (s *Store) Standing(ctx context.Context, idOrNumber string) (id string, status graph.Status, err error) {
	where, arg := "id = ?", any(idOrNumber)
	if n, ok := isNumber(idOrNumber); ok {
		where, arg = "number = ?", n
	}
	err = s.quick(ctx, func(q querier) error {
		return q.row("SELECT id, status FROM dispatches WHERE "+notGoing+" AND "+where, []any{arg}, &id, &status)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("dispatch", idOrNumber)
	}
	return id, status, err
}
