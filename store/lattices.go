package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/latticed/latticed/graph"
)

// latticeWhere finds one lattice by id or by the name that points at it.
const latticeWhere = "l.id = ? OR (NOT EXISTS (SELECT 1 FROM lattices WHERE id = ?) AND l.n = (SELECT lattice FROM lattice_names WHERE name = ?))"

// Lattice returns a compiled lattice by id or name. It is shared: don't change it.
func (s *Store) Lattice(ctx context.Context, idOrName string) (l *graph.Lattice, err error) {
	if l := s.compiled.get(idOrName); l != nil {
		return l, nil
	}
	err = s.quick(ctx, func(q querier) error {
		l, err = s.lattice(q, idOrName)
		return err
	})
	return l, err
}

func (s *Store) lattice(q querier, idOrName string) (*graph.Lattice, error) {
	if l := s.compiled.get(idOrName); l != nil {
		return l, nil
	}
	id, err := latticeID(q, idOrName)
	if err != nil {
		return nil, err
	}
	if l := s.compiled.get(id); l != nil {
		return l, nil
	}
	var doc []byte
	if err := q.row("SELECT document FROM lattices WHERE id = ?", []any{id}, &doc); err != nil {
		return nil, fmt.Errorf("lattice %s: %w", id, err)
	}
	l, err := graph.Load(doc)
	if err != nil {
		return nil, fmt.Errorf("stored lattice %s: %w", id, err)
	}
	s.compiled.put(l)
	return l, nil
}

// latticeID resolves an id or name.
func latticeID(q querier, idOrName string) (id string, err error) {
	err = sql.ErrNoRows
	if len(idOrName) == 2*sha256.Size {
		err = q.row("SELECT id FROM lattices WHERE id = ?", []any{idOrName}, &id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = q.row("SELECT l.id FROM lattice_names p JOIN lattices l ON l.n = p.lattice WHERE p.name = ?", []any{idOrName}, &id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound("lattice", idOrName)
	}
	return id, err
}

// InsertLattice stores l unless known. With name, l.Name points at it from now on. It
// tells whether l was new. An included asset that nobody uploaded is a
// *MissingAssetError.
func (s *Store) InsertLattice(ctx context.Context, l *graph.Lattice, name bool, owner string) (bool, error) {
	isNew := false
	err := s.change(ctx, func(t *tx) error {
		n, err := t.latticeRow(l.ID)
		if err != nil {
			return err
		}
		if isNew = n == 0; isNew {
			if n, err = t.insertLattice(l, owner); err != nil {
				return err
			}
		}
		if name {
			_, err := t.exec(`INSERT INTO lattice_names (name, lattice, owner, created_by, created_at, updated_at) VALUES (?,?,?,?,?,?)
				ON CONFLICT (name) DO UPDATE SET lattice = excluded.lattice, updated_at = excluded.updated_at WHERE lattice <> excluded.lattice`,
				l.Name, n, owner, owner, t.now, t.now)
			if err != nil {
				return err
			}
		}
		return t.effect(Stored{Lattice: l, New: isNew})
	})
	if err != nil {
		return false, fmt.Errorf("store lattice %s: %w", l.Name, err)
	}
	s.compiled.put(l)
	return isNew, nil
}

// latticeRow returns the row of a lattice, or 0.
func (t *tx) latticeRow(id string) (int64, error) {
	l, err := t.lattice(id)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return l.n, err
}

func (t *tx) insertLattice(l *graph.Lattice, owner string) (int64, error) {
	n, err := t.insert("INSERT INTO lattices (id, name, description, electrons, owner, created_by, created_at, document) VALUES (?,?,?,?,?,?,?,?)",
		l.ID, l.Name, l.Description, len(l.Electrons), owner, owner, t.now, string(l.Document))
	if err != nil {
		return 0, err
	}
	seen := map[string]bool{}
	for path, inc := range l.Include {
		if inc.SHA256 == "" || seen[inc.SHA256] {
			continue
		}
		seen[inc.SHA256] = true
		if err := t.referAsset(inc.SHA256, 1); errors.Is(err, ErrNotFound) {
			return 0, &MissingAssetError{Path: path, SHA256: inc.SHA256}
		} else if err != nil {
			return 0, err
		}
		sha, err := hash(inc.SHA256)
		if err != nil {
			return 0, err
		}
		if _, err := t.exec("INSERT INTO lattice_assets (lattice, sha256) VALUES (?,?)", n, sha); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// latticeView is a lattice with the names that point at it.
type latticeView struct {
	Row   latticeRow `gorm:"embedded"`
	Names string     // JSON
	Page  string     // where it stands in a list
}

const selectLattice = `SELECT l.n, l.id, l.name, l.description, l.electrons, l.owner, l.created_by, l.created_at,
	(SELECT json_group_array(name) FROM (SELECT name FROM lattice_names WHERE lattice = l.n ORDER BY name)) AS names`

// LatticeInfo describes a lattice, by id or name.
func (s *Store) LatticeInfo(ctx context.Context, idOrName string) (LatticeInfo, error) {
	var vs []latticeView
	err := s.read.WithContext(ctx).Raw(selectLattice+", l.document FROM lattices l WHERE "+latticeWhere, idOrName, idOrName, idOrName).Scan(&vs).Error
	if err != nil {
		return LatticeInfo{}, err
	}
	if len(vs) == 0 {
		return LatticeInfo{}, notFound("lattice", idOrName)
	}
	return fromLatticeView(&vs[0])
}

// Lattices returns a page of lattices: those that names point at in the order of
// names, or with All every one, newest first.
func (s *Store) Lattices(ctx context.Context, f LatticeFilter) ([]LatticeInfo, string, error) {
	kind := "names"
	if f.All {
		kind = "lattices"
	}
	c, err := parseCursor(kind, f.After)
	if err != nil {
		return nil, "", err
	}
	var q strings.Builder
	var args []any
	where := func(cond string, arg any) { q.WriteString(" AND " + cond); args = append(args, arg) }
	order := "l.n DESC"
	if f.All {
		q.WriteString(selectLattice + " FROM lattices l WHERE 1")
		if c != nil {
			where("l.n < ?", c.N)
		}
	} else {
		order = "p.name"
		q.WriteString(selectLattice + ", p.name AS page FROM lattice_names p JOIN lattices l ON l.n = p.lattice WHERE 1")
		if c != nil {
			where("p.name > ?", c.S)
		}
	}
	if f.Owner != "" {
		where("l.owner = ?", f.Owner)
	}
	if f.Query != "" {
		where("instr(lower(l.name), lower(?)) > 0", f.Query)
	}
	limit := limitOf(f.Limit)
	var vs []latticeView
	if err := s.read.WithContext(ctx).Raw(q.String()+" ORDER BY "+order+" LIMIT ?", append(args, limit+1)...).Scan(&vs).Error; err != nil {
		return nil, "", err
	}
	next := ""
	if len(vs) > limit {
		vs = vs[:limit]
		next = pageCursor{K: kind, N: vs[limit-1].Row.N, S: vs[limit-1].Page}.String()
	}
	ls := make([]LatticeInfo, len(vs))
	for i := range vs {
		if ls[i], err = fromLatticeView(&vs[i]); err != nil {
			return nil, "", err
		}
	}
	return ls, next, nil
}

func fromLatticeView(v *latticeView) (LatticeInfo, error) {
	l := LatticeInfo{
		ID: v.Row.ID, Name: v.Row.Name, Description: v.Row.Description, Document: fromRawText(v.Row.Document), Electrons: v.Row.Electrons,
		Owner: v.Row.Owner, CreatedBy: v.Row.CreatedBy, CreatedAt: fromMicros(v.Row.CreatedAt),
	}
	if err := json.Unmarshal([]byte(v.Names), &l.Names); err != nil {
		return l, fmt.Errorf("names of lattice %s: %w", v.Row.ID, err)
	}
	return l, nil
}
