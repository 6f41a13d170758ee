package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// DeleteDispatch removes a dispatch (id or number) with its electrons, attempts,
// labels and assets. A *ConflictError says why not: it runs, or a trigger needs it.
func (s *Store) DeleteDispatch(ctx context.Context, id string) error {
	err := s.change(ctx, func(t *tx) error {
		number, err := dispatchNumber(t, id)
		if err != nil {
			return err
		}
		return t.deleteDispatch(number)
	})
	if err != nil {
		return fmt.Errorf("delete dispatch %s: %w", id, err)
	}
	return nil
}

func (t *tx) deleteDispatch(number int64) error {
	id, err := t.deletable(number)
	if err != nil {
		return err
	}
	if err := t.removeDispatch(number); err != nil {
		return err
	}
	return t.effect(Deleted{ID: id})
}

// removeDispatch removes a dispatch and those that belong to it.
func (t *tx) removeDispatch(number int64) error {
	type member struct {
		number int64
		id     string
	}
	var all []member
	err := t.rows("SELECT number, id FROM dispatches WHERE number = ? OR root = ?", []any{number, number}, func(r rowScanner) error {
		var m member
		all = append(all, m)
		return r.Scan(&all[len(all)-1].number, &all[len(all)-1].id)
	})
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := t.dropAssets(dispatchUses, m.number); err != nil {
			return err
		}
		if err := t.bury(KindDispatch, m.id); err != nil {
			return err
		}
		t.ended(m.id)
	}
	_, err = t.exec("DELETE FROM dispatches WHERE number = ?", number)
	return err
}

// deletable refuses what runs and what a trigger needs.
func (t *tx) deletable(number int64) (id string, err error) {
	var status string
	if err := t.row("SELECT id, status FROM dispatches WHERE number = ?", []any{number}, &id, &status); err != nil {
		return "", err
	}
	var sub int
	err = t.row("SELECT count(*) FROM dispatches WHERE root = ? AND (status = 'pending' OR status = 'running')", []any{number}, &sub)
	if err != nil {
		return "", err
	}
	if st := graph.Status(status); st == graph.Pending || st == graph.Running || sub > 0 {
		return "", &ConflictError{Code: "dispatch_running", Message: fmt.Sprintf("dispatch %d is %s; cancel it first, or wait", number, status)}
	}
	var trigger string
	err = t.row("SELECT name FROM triggers WHERE dispatch_id = ? AND removed_at IS NULL ORDER BY name LIMIT 1", []any{id}, &trigger)
	if err == nil {
		return "", &ConflictError{Code: "dispatch_is_target", Message: fmt.Sprintf("dispatch %d is what trigger %s redispatches; remove or change that trigger first", number, trigger)}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return id, nil
}

// usesOf finds the places of a dispatch that name assets, or of a part of it.
func usesOf(electrons, attempts string) string {
	return `SELECT sha, count(*) AS n FROM (
		SELECT result AS sha FROM electrons WHERE dispatch = ?1` + electrons + ` UNION ALL SELECT pickle FROM electrons WHERE dispatch = ?1` + electrons + ` UNION ALL
		SELECT unhex(f.value ->> 'sha256') FROM electrons e, json_each(e.files) f WHERE e.dispatch = ?1` + electrons + ` UNION ALL
		SELECT stdout FROM attempts WHERE dispatch = ?1` + attempts + ` UNION ALL SELECT stderr FROM attempts WHERE dispatch = ?1` + attempts + ` UNION ALL
		SELECT stdout FROM electrons WHERE dispatch = ?1` + electrons + ` UNION ALL SELECT stderr FROM electrons WHERE dispatch = ?1` + electrons + `
		) WHERE sha IS NOT NULL GROUP BY sha`
}

var (
	dispatchUses  = usesOf("", "")
	usesWithSizes = `SELECT u.sha, u.n, a.refs, a.size, EXISTS (SELECT 1 FROM uploads p WHERE p.sha256 = a.sha256)
		FROM (` + dispatchUses + `) u JOIN assets a ON a.sha256 = u.sha`
)

// dropAssets takes back every place that a query finds.
func (t *tx) dropAssets(places string, args ...any) error {
	type use struct {
		sha []byte
		n   int64
	}
	var uses []use
	err := t.rows(places, args, func(r rowScanner) error {
		uses = append(uses, use{})
		return r.Scan(&uses[len(uses)-1].sha, &uses[len(uses)-1].n)
	})
	if err != nil {
		return err
	}
	for _, u := range uses {
		if err := t.dropAsset(u.sha, u.n); err != nil {
			return err
		}
	}
	return nil
}

// bury leaves a tombstone for readers of changes.
func (t *tx) bury(kind Kind, id string) error {
	_, err := t.exec("INSERT INTO tombstones (seq, kind, id, at) VALUES (?,?,?,?)", t.seq(), string(kind), id, t.now)
	return err
}

// DeleteLattice removes a lattice by id, or by name with the other names that point at
// it. A *ConflictError says why not: a dispatch was made of it, or a trigger needs it.
func (s *Store) DeleteLattice(ctx context.Context, idOrName string) error {
	var id string
	err := s.change(ctx, func(t *tx) error {
		var err error
		if id, err = latticeID(t, idOrName); err != nil {
			return err
		}
		return t.deleteLattice(id)
	})
	if err != nil {
		return fmt.Errorf("delete lattice %s: %w", idOrName, err)
	}
	s.compiled.drop(id)
	return nil
}

func (t *tx) deleteLattice(id string) error {
	l, err := t.lattice(id)
	if err != nil {
		return err
	}
	var number int64
	switch err := t.row("SELECT number FROM dispatches WHERE lattice = ? LIMIT 1", []any{l.n}, &number); {
	case err == nil:
		return &ConflictError{Code: "lattice_in_use", Message: fmt.Sprintf("lattice %s is what dispatch %d runs; delete its dispatches first", l.name, number)}
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	var trigger string
	err = t.row(`SELECT name FROM triggers WHERE removed_at IS NULL AND (lattice_id = ?1 OR (lattice_id IS NULL
		AND lattice_name IN (SELECT name FROM lattice_names WHERE lattice = ?2))) ORDER BY name LIMIT 1`, []any{id, l.n}, &trigger)
	if err == nil {
		return &ConflictError{Code: "lattice_is_target", Message: fmt.Sprintf("lattice %s is what trigger %s dispatches; remove or change that trigger first", l.name, trigger)}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var shas [][]byte
	err = t.rows("SELECT sha256 FROM lattice_assets WHERE lattice = ?", []any{l.n}, func(r rowScanner) error {
		shas = append(shas, nil)
		return r.Scan(&shas[len(shas)-1])
	})
	if err != nil {
		return err
	}
	for _, q := range []string{"DELETE FROM lattice_assets WHERE lattice = ?", "DELETE FROM lattice_names WHERE lattice = ?", "DELETE FROM lattices WHERE n = ?"} {
		if _, err := t.exec(q, l.n); err != nil {
			return err
		}
	}
	for _, sha := range shas {
		if err := t.dropAsset(sha, 1); err != nil {
			return err
		}
	}
	delete(t.w.lattices, id)
	return t.effect(Deleted{ID: id})
}
