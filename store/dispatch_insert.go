package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/latticed/latticed/graph"
)

// InsertDispatch stores d (status new or pending) and returns it with ID (unless it
// has one), Number, RootID, CreatedAt, the lattice's name, Total and Seq filled in. One
// with d.First is stored as running since then, and returned as it was accepted: pending,
// with the Seq before that of its beginning.
func (s *Store) InsertDispatch(ctx context.Context, d graph.Dispatch) (graph.Dispatch, error) {
	if d.ID == "" {
		var err error
		if d.ID, err = newID(); err != nil {
			return d, err
		}
	}
	out := d
	err := s.change(ctx, func(t *tx) error {
		out = d
		if d.TriggerID != "" {
			return fmt.Errorf("dispatch %s: a trigger's dispatches are inserted with their firing", d.ID)
		}
		if d.ParentID != "" {
			if err := t.there(d.ParentID); err != nil {
				return err
			}
		}
		if err := t.insertDispatch(&out, triggerRef{}); err != nil {
			return err
		}
		return t.effect(out)
	})
	if err != nil {
		return d, fmt.Errorf("insert dispatch %s: %w", d.ID, err)
	}
	return out, nil
}

// latticeRef is what a dispatch needs to know of its lattice.
type latticeRef struct {
	n         int64
	name      string
	electrons int
}

// lattice looks a lattice up by id.
func (t *tx) lattice(id string) (latticeRef, error) {
	if l, ok := t.w.lattices[id]; ok {
		return l, nil
	}
	var l latticeRef
	err := t.row("SELECT n, name, electrons FROM lattices WHERE id = ?", []any{id}, &l.n, &l.name, &l.electrons)
	if errors.Is(err, sql.ErrNoRows) {
		return l, notFound("lattice", id)
	}
	if err != nil {
		return l, err
	}
	if len(t.w.lattices) >= 4*t.w.s.o.Lattices {
		clear(t.w.lattices)
	}
	t.w.lattices[id] = l
	return l, nil
}

const insertDispatchSQL = `INSERT INTO dispatches
	(id, seq, status, total, waiting, reason, lattice, lattice_name, owner, created_by, run_as,
	 parent_id, root, reuse, sweep, held, trigger, firing_id, labels, note, keep, created_at, inputs, running, started_at)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

// insertDispatch inserts d and fills in what the store knows. trigger is what fired it.
func (t *tx) insertDispatch(d *graph.Dispatch, trigger triggerRef) error {
	if d.Status != graph.New && d.Status != graph.Pending {
		return fmt.Errorf("a dispatch begins as new or pending, not %q", d.Status)
	}
	status, started := d.Status, any(nil)
	begins := len(d.First) > 0
	if begins {
		if d.Status != graph.Pending || d.Held {
			return fmt.Errorf("dispatch %s can't start anything while it is %s", d.ID, d.Status)
		}
		status, started = graph.Running, t.now
	}
	l, err := t.lattice(d.LatticeID)
	if err != nil {
		return err
	}
	root, err := t.rootOf(d)
	if err != nil {
		return err
	}
	labels, err := jsonText(d.Labels, len(d.Labels) == 0)
	if err != nil {
		return err
	}
	waiting, err := jsonText(d.Waiting, d.Waiting == nil)
	if err != nil {
		return err
	}
	inputs := "{}"
	if d.Inputs != nil {
		inputs = string(d.Inputs)
	}
	d.LatticeName, d.Total, d.Counts = l.name, l.electrons, graph.Counts{Pending: l.electrons}
	d.Trigger, d.CreatedAt, d.Seq = trigger.name, t.time(), t.seq()
	seq := d.Seq
	if begins {
		seq = t.seq() // a change after what is answered, for those who follow from there
	}
	d.Number, err = t.insert(insertDispatchSQL,
		d.ID, seq, string(status), d.Total, waiting, text(d.Reason), l.n, l.name, d.Owner, d.CreatedBy, d.RunAs,
		text(d.ParentID), root, d.Reuse, null(d.Sweep), held(d), null(trigger.n), text(d.FiringID), labels, text(d.Note), d.Keep, t.now, inputs,
		len(d.First), started)
	if err != nil {
		return err
	}
	if err := t.insertLabels(d.Number, t.now, d.Labels); err != nil {
		return err
	}
	for i := range d.First {
		if err := t.startAttempt(d.Number, &d.First[i]); err != nil {
			return err
		}
	}
	if begins {
		t.w.live[d.ID] = liveRef{number: d.Number, trigger: trigger.n, sweep: d.Sweep}
	}
	t.countBegin(trigger.n)
	t.touched(d.ID)
	return nil
}

// null is a reference that is NULL when zero.
func null(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// rootOf returns the number of another root, or nil when d is its own.
func (t *tx) rootOf(d *graph.Dispatch) (any, error) {
	if d.RootID == "" || d.RootID == d.ID {
		d.RootID = d.ID
		return nil, nil
	}
	var n int64
	err := t.row("SELECT number FROM dispatches WHERE id = ? AND "+notGoing, []any{d.RootID}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("dispatch", d.RootID)
	}
	return n, err
}

func (t *tx) insertLabels(number, createdAt int64, labels map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		_, err := t.exec("INSERT INTO dispatch_labels (dispatch, key, value, created_at) VALUES (?,?,?,?)", number, k, labels[k], createdAt)
		if err != nil {
			return err
		}
	}
	return nil
}
