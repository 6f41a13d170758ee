package store

import (
	"context"
)

// audit removes the oldest entries of the audit trail, and tokens that have been no good
// for as long.
func (p *pruner) audit(ctx context.Context) error {
	if p.bounds.audit == 0 {
		return nil
	}
	last, n, err := p.oldAudit(ctx)
	if err != nil {
		return err
	}
	p.out.Audit += n
	if p.dry {
		return nil
	}
	const part = 50
	for gone := int64(part); gone == part; {
		err := p.change(ctx, func(t *tx, turn turn) (err error) {
			for {
				gone, err = t.exec("DELETE FROM audit WHERE n IN (SELECT n FROM audit WHERE n <= ? ORDER BY n LIMIT ?)", last, part)
				if err != nil || gone < part || !turn.left() {
					return err
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return p.change(ctx, func(t *tx, _ turn) error {
		_, err := t.exec("DELETE FROM tokens WHERE revoked_at < ?1 OR expires_at < ?1", p.bounds.audit)
		return err
	})
}

// oldAudit finds the last entry that is too old: they are in order.
func (p *pruner) oldAudit(ctx context.Context) (last, n int64, err error) {
	for {
		found := int64(0)
		err := p.s.quick(ctx, func(q querier) error {
			return q.rows("SELECT n, at FROM audit WHERE n > ? ORDER BY n LIMIT ?", []any{last, prunePage}, func(r rowScanner) error {
				var row, at int64
				err := r.Scan(&row, &at)
				if at < p.bounds.audit && row == max(row, last) {
					last, found = row, found+1
				}
				return err
			})
		})
		if n += found; err != nil || found < prunePage {
			return last, n, err
		}
	}
}

// triggers removes triggers that were removed before the horizon and of which no history
// is left.
func (p *pruner) triggers(ctx context.Context) error {
	for p.horizon > 0 && !p.dry {
		var n int64
		err := p.change(ctx, func(t *tx, _ turn) (err error) {
			if err := t.keepSeq(); err != nil {
				return err
			}
			n, err = t.exec(`DELETE FROM triggers WHERE n IN (SELECT n FROM triggers t WHERE removed_at < ?
				AND NOT EXISTS (SELECT 1 FROM dispatches WHERE trigger = t.n) AND NOT EXISTS (SELECT 1 FROM firings WHERE trigger = t.n)
				AND NOT EXISTS (SELECT 1 FROM events WHERE trigger = t.n) AND NOT EXISTS (SELECT 1 FROM entities WHERE trigger = t.n)
				AND NOT EXISTS (SELECT 1 FROM past_keys WHERE trigger = t.n) LIMIT 10)`, p.horizon)
			return err
		})
		if err != nil || n < 10 {
			return err
		}
	}
	return nil
}

const (
	// unused is true of an old lattice without a name that nothing runs and no trigger needs.
	unused = `l.created_at < ? AND NOT EXISTS (SELECT 1 FROM lattice_names m WHERE m.lattice = l.n)
	AND NOT EXISTS (SELECT 1 FROM dispatches d WHERE d.lattice = l.n)
	AND NOT EXISTS (SELECT 1 FROM triggers t WHERE t.lattice_id = l.id AND t.removed_at IS NULL)`
	unusedPage  = "SELECT l.n, l.id FROM lattices l WHERE l.n > ? AND " + unused + " ORDER BY l.n LIMIT ?"
	stillUnused = "SELECT count(*) FROM lattices l WHERE l.id = ? AND " + unused
)

// lattices removes definitions that only history used.
func (p *pruner) lattices(ctx context.Context) error {
	for after := int64(0); p.horizon > 0 && !p.dry; {
		var ids []string
		err := p.s.quick(ctx, func(q querier) error {
			return q.rows(unusedPage, []any{after, p.horizon, prunePage}, func(r rowScanner) error {
				ids = append(ids, "")
				return r.Scan(&after, &ids[len(ids)-1])
			})
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			err := p.change(ctx, func(t *tx, _ turn) error {
				var still int
				if err := t.row(stillUnused, []any{id, p.horizon}, &still); err != nil || still == 0 {
					return err // somebody uses it again
				}
				return t.deleteLattice(id)
			})
			if err != nil {
				return err
			}
			p.s.compiled.drop(id)
		}
	}
	return nil
}
