package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/triggers"
)

// reasonRemoved is what becomes of the events of a removed trigger.
const reasonRemoved = "trigger_removed"

// endChains makes what is held for a loop look as if no dispatch had led to it.
const endChains = "UPDATE events SET generation = 0 WHERE trigger = ? AND firing IS NULL AND reason = ?"

// CreateTrigger stores revision 1 with state preparing. A taken name is a
// *ConflictError; a target that does not exist is ErrNotFound.
func (s *Store) CreateTrigger(ctx context.Context, tr triggers.Trigger) (triggers.Trigger, error) {
	if tr.ID == "" {
		var err error
		if tr.ID, err = newID(); err != nil {
			return tr, err
		}
	}
	var out triggers.Trigger
	err := s.change(ctx, func(t *tx) error {
		if err := t.checkTrigger(&tr, 0); err != nil {
			return err
		}
		spec := specOf(&tr)
		n, err := t.insert(`INSERT INTO triggers (id, name, kind, revision, state, reason, spec, dispatch_id, lattice_id, lattice_name,
			owner, created_by, run_as, created_at, updated_at, next_at, seq) VALUES (?,?,?,1,'preparing','',?,?,?,?,?,?,?,?,?,?,?)`,
			tr.ID, tr.Name, tr.Kind, spec, text(tr.DispatchID), text(tr.LatticeID), text(tr.LatticeName),
			tr.Owner, tr.CreatedBy, tr.RunAs, t.now, t.now, micros(tr.NextAt), t.seq())
		if err != nil {
			return err
		}
		if err := t.insertRevision(n, 1, &tr); err != nil {
			return err
		}
		return t.triggerEffect(tr.ID, &out)
	})
	if err != nil {
		return tr, fmt.Errorf("create trigger %s: %w", tr.Name, err)
	}
	return out, nil
}

func specOf(tr *triggers.Trigger) string {
	if tr.Spec == nil {
		return "{}"
	}
	return string(tr.Spec)
}

func (t *tx) insertRevision(n int64, revision int, tr *triggers.Trigger) error {
	_, err := t.exec("INSERT INTO trigger_revisions (trigger, revision, name, spec, dispatch_id, lattice_id, lattice_name, created_by, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
		n, revision, tr.Name, specOf(tr), text(tr.DispatchID), text(tr.LatticeID), text(tr.LatticeName), tr.CreatedBy, t.now)
	return err
}

// triggerEffect reads the trigger as it is now for the caller.
func (t *tx) triggerEffect(id string, out *triggers.Trigger) error {
	var err error
	if *out, err = t.w.s.trigger(t.gorm(), id); err != nil {
		return err
	}
	return t.effect(*out)
}

// checkTrigger refuses a name another trigger has and a target that isn't there.
func (t *tx) checkTrigger(tr *triggers.Trigger, self int64) error {
	var other int64
	err := t.row("SELECT n FROM triggers WHERE name = ? AND removed_at IS NULL AND n <> ?", []any{tr.Name, self}, &other)
	if err == nil {
		return &ConflictError{Code: "name_taken", Message: fmt.Sprintf("there is a trigger named %s already", tr.Name)}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for _, target := range []struct{ what, q, id string }{
		{"dispatch", "SELECT 1 FROM dispatches WHERE id = ? AND " + notGoing, tr.DispatchID},
		{"lattice", "SELECT 1 FROM lattices WHERE id = ?", tr.LatticeID},
	} {
		if target.id == "" {
			continue
		}
		var one int
		if err := t.row(target.q, []any{target.id}, &one); errors.Is(err, sql.ErrNoRows) {
			return notFound(target.what, target.id)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// ReviseTrigger stores tr as revision tr.Revision+1, provided that tr.Revision is
// still the stored one (else ErrRevised). How the trigger is doing stays as it is.
func (s *Store) ReviseTrigger(ctx context.Context, tr triggers.Trigger) (triggers.Trigger, error) {
	var out triggers.Trigger
	err := s.change(ctx, func(t *tx) error {
		ref, err := t.trigger(tr.ID, tr.Revision)
		if err != nil {
			return err
		}
		n := ref.n
		if err := t.checkTrigger(&tr, n); err != nil {
			return err
		}
		err = t.guarded(`UPDATE triggers SET revision = revision + 1, name = ?, kind = ?, spec = ?, dispatch_id = ?, lattice_id = ?, lattice_name = ?,
			run_as = ?, updated_at = ?, seq = ? WHERE n = ? AND revision = ?`,
			tr.Name, tr.Kind, specOf(&tr), text(tr.DispatchID), text(tr.LatticeID), text(tr.LatticeName),
			tr.RunAs, t.now, t.seq(), n, tr.Revision)
		if err != nil {
			return err
		}
		if err := t.insertRevision(n, tr.Revision+1, &tr); err != nil {
			return err
		}
		if _, err := t.exec(endChains, n, triggers.ReasonLoop); err != nil {
			return err
		}
		return t.triggerEffect(tr.ID, &out)
	})
	if err != nil {
		return tr, fmt.Errorf("revise trigger %s: %w", tr.Name, err)
	}
	return out, nil
}

// trigger returns the row of a trigger; ErrRevised when revision is not the stored
// one or it was removed. Revision 0: any.
func (t *tx) trigger(id string, revision int) (triggerRef, error) {
	ref := triggerRef{id: id}
	var stored int
	var removed sql.NullInt64
	err := t.row("SELECT n, name, revision, removed_at FROM triggers WHERE id = ?", []any{id}, &ref.n, &ref.name, &stored, &removed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ref, notFound("trigger", id)
	case err != nil:
		return ref, err
	case removed.Valid && revision == 0:
		return ref, notFound("trigger", id)
	case removed.Valid, revision != 0 && stored != revision:
		return ref, triggers.ErrRevised
	}
	return ref, nil
}

// triggerRef is what a transaction needs to know of a trigger; the zero one is none.
type triggerRef struct {
	n        int64
	id, name string
}

// RemoveTrigger ends the pending events as skipped (reason trigger_removed) and
// removes the trigger from lists; its history stays. Its inventory goes bit by bit.
func (s *Store) RemoveTrigger(ctx context.Context, id string) error {
	err := s.change(ctx, func(t *tx) error {
		ref, err := t.trigger(id, 0)
		if err != nil {
			return err
		}
		n := ref.n
		if err := t.skipUndecided(n); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM cursors WHERE trigger = ?", n); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE triggers SET removed_at = ?, updated_at = ?, next_at = NULL, seq = ? WHERE n = ?", t.now, t.now, t.seq(), n); err != nil {
			return err
		}
		if err := t.bury(KindTrigger, id); err != nil {
			return err
		}
		return t.effect(Deleted{ID: id})
	})
	if err != nil {
		return fmt.Errorf("remove trigger %s: %w", id, err)
	}
	s.nudgeKeeper()
	return nil
}

// skipUndecided ends all undecided events of a trigger with one firing.
func (t *tx) skipUndecided(trigger int64) error {
	var count int64
	if err := t.row("SELECT count(*) FROM events WHERE trigger = ? AND firing IS NULL", []any{trigger}, &count); err != nil || count == 0 {
		return err
	}
	id, err := newID()
	if err != nil {
		return err
	}
	firing := t.seq()
	_, err = t.exec(`INSERT INTO firings (n, id, trigger, revision, decision, reason, at, seq)
		SELECT ?1, ?2, n, revision, 'skipped', ?3, ?4, ?1 FROM triggers WHERE n = ?5`, firing, id, reasonRemoved, t.now, trigger)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE events SET state = 'skipped', reason = ?1, firing = ?2, seq = ?3 + o.i
		FROM (SELECT n AS event, row_number() OVER (ORDER BY n) AS i FROM events WHERE trigger = ?4 AND firing IS NULL) o
		WHERE events.n = o.event`, reasonRemoved, firing, t.w.seq, trigger)
	t.w.seq += count
	t.countPending(trigger, -count)
	return err
}

// SetTriggerState records how a trigger is doing; no change, no write. A zero next
// leaves the stored NextAt. The end of a pause is an update of the trigger.
func (s *Store) SetTriggerState(ctx context.Context, id string, state triggers.State, reason string, next time.Time) error {
	var old triggerRow
	err := s.quick(ctx, func(q querier) error {
		return q.row("SELECT state, reason, next_at FROM triggers WHERE id = ? AND removed_at IS NULL", []any{id}, &old.State, &old.Reason, &old.NextAt)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("trigger", id)
	}
	if err != nil {
		return err
	}
	if old.State == string(state) && old.Reason == reason && (next.IsZero() || next.UnixMicro() == old.NextAt) {
		return nil
	}
	err = s.change(ctx, func(t *tx) error {
		ref, err := t.trigger(id, 0)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE triggers SET state = ?1, reason = ?2, next_at = coalesce(?3, next_at), seq = ?4,
			updated_at = iif(state = 'paused' AND ?1 <> 'paused', ?5, updated_at) WHERE n = ?6`,
			string(state), reason, micros(next), t.seq(), t.now, ref.n)
		return err
	})
	if err != nil {
		return fmt.Errorf("set trigger %s to %s: %w", id, state, err)
	}
	return nil
}
