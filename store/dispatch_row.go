package store

import (
	"context"
	"errors"
	"strconv"

	"gorm.io/gorm"

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

// selectDispatches is followed by WHERE …; columns of the dispatch have the prefix d.
const selectDispatches = `SELECT d.*, l.id AS lattice_id, t.id AS trigger_id, t.name AS trigger_name, r.id AS root_id
	FROM dispatches d JOIN lattices l ON l.n = d.lattice
	LEFT JOIN triggers t ON t.n = d.trigger LEFT JOIN dispatches r ON r.number = d.root `

func fromDispatchView(v *dispatchView) (graph.Dispatch, error) {
	r := &v.Row
	d := graph.Dispatch{
		ID: r.ID, Number: r.Number, LatticeID: v.LatticeID, LatticeName: r.LatticeName,
		Status: graph.Status(r.Status), Reason: r.Reason, CancelRequestedAt: fromMicros(r.CancelRequestedAt),
		Inputs: fromRawText(r.Inputs), Result: fromRawText(r.Result),
		Note: r.Note, Keep: r.Keep, Owner: r.Owner, CreatedBy: r.CreatedBy, RunAs: r.RunAs,
		ParentID: r.ParentID, RootID: v.RootID, TriggerID: v.TriggerID, Trigger: v.TriggerName, FiringID: r.FiringID,
		CreatedAt: fromMicros(r.CreatedAt), StartedAt: fromMicros(r.StartedAt), EndedAt: fromMicros(r.EndedAt),
		Total: r.Total, Counts: r.counts(), Seq: r.Seq,
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

func dispatchBy(db *gorm.DB, idOrNumber string) (graph.Dispatch, error) {
	where, arg := "WHERE d.id = ?", any(idOrNumber)
	if n, ok := isNumber(idOrNumber); ok {
		where, arg = "WHERE d.number = ?", n
	}
	var vs []dispatchView
	if err := db.Raw(selectDispatches+where, arg).Scan(&vs).Error; err != nil {
		return graph.Dispatch{}, err
	}
	if len(vs) == 0 {
		return graph.Dispatch{}, notFound("dispatch", idOrNumber)
	}
	return fromDispatchView(&vs[0])
}

// dispatchNumber resolves an id or number.
func dispatchNumber(db *gorm.DB, idOrNumber string) (int64, error) {
	where, arg := "id = ?", any(idOrNumber)
	if n, ok := isNumber(idOrNumber); ok {
		where, arg = "number = ?", n
	}
	var ns []int64
	if err := db.Raw("SELECT number FROM dispatches WHERE "+where, arg).Scan(&ns).Error; err != nil {
		return 0, err
	}
	if len(ns) == 0 {
		return 0, notFound("dispatch", idOrNumber)
	}
	return ns[0], nil
}

// Dispatch returns one by id or number.
func (s *Store) Dispatch(ctx context.Context, idOrNumber string) (graph.Dispatch, error) {
	return dispatchBy(s.read.WithContext(ctx), idOrNumber)
}
