package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
)

// candidate is a dispatch that may go.
type candidate struct {
	number, createdAt, endedAt int64
	id                         string
	electrons                  int64
	stays                      bool // it ended long enough ago, and has to stay
}

// candidates reads dispatches in order. Those that belong to another go with it.
const candidates = `SELECT number, id, total, created_at, coalesce(ended_at, 0), NOT ` + removable + `
	FROM dispatches d WHERE number > ? AND root IS NULL ORDER BY number LIMIT ?`

// removable is true of what history may lose. What runs is looked for among children
// that have not ended only.
const removable = `(` + ended + ` AND keep = 0
	AND NOT EXISTS (SELECT 1 FROM triggers t WHERE t.dispatch_id = d.id AND t.removed_at IS NULL)
	AND NOT EXISTS (SELECT 1 FROM dispatches c WHERE c.parent_id = d.id AND NOT ` + endedChild + `)
	AND NOT EXISTS (SELECT 1 FROM dispatches c WHERE c.root = d.number AND NOT ` + endedChild + `)
	AND NOT (d.trigger IS NOT NULL AND d.firing_id = ` + lastFiring + `))`

const (
	endedChild = "(c.status = 'completed' OR c.status = 'failed' OR c.status = 'cancelled')"
	lastFiring = `coalesce((SELECT f.id FROM firings f INDEXED BY firings_decision JOIN triggers t ON t.n = f.trigger
		WHERE f.trigger = d.trigger AND f.decision = 'fired' AND t.removed_at IS NULL ORDER BY f.n DESC LIMIT 1), '')`
)

// dispatches removes, the oldest first, what the limits concern.
func (p *pruner) dispatches(ctx context.Context) error {
	if p.ended == 0 && p.number == 0 && p.excess <= 0 {
		return nil
	}
	for after := int64(0); ; {
		page, err := p.page(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for len(page) > 0 {
			c := &page[0]
			after = c.number
			_, gone := p.gone[c.id]
			switch {
			case p.over(c):
				return nil
			case gone, !p.concerns(c):
			case c.stays:
				p.out.Kept++
			case c.endedAt > p.now-endSettles.Microseconds():
			case p.dry:
				if err := p.pretend(ctx, c); err != nil {
					return err
				}
			default:
				n, err := p.remove(ctx, page)
				if err != nil {
					return err
				}
				after = page[n-1].number
				page = page[n:]
				continue
			}
			page = page[1:]
		}
	}
}

func (p *pruner) page(ctx context.Context, after int64) ([]candidate, error) {
	page := make([]candidate, 0, prunePage)
	err := p.s.quick(ctx, func(q querier) error {
		return q.rows(candidates, []any{after, prunePage}, func(r rowScanner) error {
			page = append(page, candidate{})
			c := &page[len(page)-1]
			return r.Scan(&c.number, &c.id, &c.electrons, &c.createdAt, &c.endedAt, &c.stays)
		})
	})
	return page, err
}

// remove takes dispatches from the front of page in one transaction, as many as there
// is time for and as the limits concern, and returns how many it has passed.
func (p *pruner) remove(ctx context.Context, page []candidate) (passed int, err error) {
	if page[0].electrons > pruneElectrons {
		return 1, p.removeWide(ctx, &page[0], false)
	}
	var n, freed, horizon int64
	err = p.change(ctx, func(t *tx, turn turn) error {
		before := t.freed
		passed, n, horizon = 0, 0, 0 // of an earlier try
		left := p.bounds
		for i := range page {
			c := &page[i]
			if c.stays || !left.concerns(c) || c.electrons > pruneElectrons || c.endedAt > p.now-endSettles.Microseconds() || (i > 0 && !turn.left()) {
				break
			}
			gone, err := t.pruneDispatch(c)
			if err != nil {
				return err
			}
			passed++
			if gone {
				n++
				horizon = c.createdAt
			}
			left.excess = p.excess - (t.freed - before)
		}
		freed = t.freed - before
		return nil
	})
	if err == nil {
		p.removed(n, freed, horizon)
	}
	return max(passed, 1), err
}

// removed counts. Decided events before what goes for its bytes are history, too.
func (p *pruner) removed(n, freed, createdAt int64) {
	if p.out.Dispatches += n; n > 0 && p.excess > 0 {
		p.horizon = max(p.horizon, createdAt)
	}
	p.out.Bytes += freed
	p.excess -= freed
}

// pruningKey is the number, in meta, of a dispatch of which a part is gone already. There
// is one at most, and for everybody but the pruner it is gone (see notGoing).
const pruningKey = "pruning"

// begun goes on with such a dispatch, whatever the limits are by now.
func (p *pruner) begun(ctx context.Context) error {
	var c candidate
	err := p.s.quick(ctx, func(q querier) error {
		return q.row("SELECT d.number, d.id, d.total, d.created_at FROM meta m JOIN dispatches d ON d.number = m.value WHERE m.key = ?",
			[]any{pruningKey}, &c.number, &c.id, &c.electrons, &c.createdAt)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case p.dry:
		return p.pretend(ctx, &c)
	}
	return p.removeWide(ctx, &c, true)
}

// removeWide removes a dispatch of many electrons, these first, in parts. It begins only
// if that may go still. From the first part on nobody finds it, so that nothing can come to
// need it, and what is left goes without being asked for again. Broken off, the next
// pruning begins with it.
func (p *pruner) removeWide(ctx context.Context, c *candidate, begun bool) error {
	for from := int64(0); ; from += pruneElectrons {
		var freed int64
		stays, last := false, from >= c.electrons
		err := p.change(ctx, func(t *tx, _ turn) (err error) {
			before := t.freed
			if from == 0 && !begun {
				ok, err := t.removable(c.number)
				if stays = !ok; err != nil || stays {
					return err
				}
				if err := t.markPruning(c.number); err != nil {
					return err
				}
			}
			if last {
				err = t.removeBegun(c.number)
			} else {
				err = t.dropElectrons(c.number, from, from+pruneElectrons)
			}
			freed = t.freed - before
			return err
		})
		if err != nil || stays {
			return err
		}
		p.removed(0, freed, 0)
		if last {
			p.removed(1, 0, c.createdAt)
			return nil
		}
	}
}

// markPruning hides a dispatch. That there is no other is for begun to see to.
func (t *tx) markPruning(number int64) error {
	_, err := t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", pruningKey, number)
	return err
}

// removeBegun removes what is left of a dispatch that is hidden, and its mark.
func (t *tx) removeBegun(number int64) error {
	if err := t.removeDispatch(number); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM meta WHERE key = ?", pruningKey)
	return err
}

// removable looks again, within the transaction.
func (t *tx) removable(number int64) (bool, error) {
	var yes bool
	err := t.row("SELECT "+removable+" FROM dispatches d WHERE number = ?", []any{number}, &yes)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return yes, err
}

// pruneDispatch removes a dispatch if it may go still.
func (t *tx) pruneDispatch(c *candidate) (bool, error) {
	if ok, err := t.removable(c.number); err != nil || !ok {
		return false, err
	}
	return true, t.removeDispatch(c.number)
}

// dropElectrons removes electrons with their attempts and assets.
func (t *tx) dropElectrons(number, from, to int64) error {
	if err := t.dropAssets(usesOf(" AND idx >= ?2 AND idx < ?3", " AND electron >= ?2 AND electron < ?3"), number, from, to); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM electrons WHERE dispatch = ? AND idx >= ? AND idx < ?", number, from, to)
	return err
}

// pretend counts what removing a dispatch would do.
func (p *pruner) pretend(ctx context.Context, c *candidate) error {
	var freed int64
	err := p.s.quick(ctx, func(q querier) error {
		return q.rows(usesWithSizes, []any{c.number}, func(r rowScanner) error {
			var sha []byte
			var n, refs, size int64
			var uploaded bool
			if err := r.Scan(&sha, &n, &refs, &size, &uploaded); err != nil {
				return err
			}
			name := hex.EncodeToString(sha)
			if p.released[name] += n; p.released[name] >= refs {
				delete(p.released, name)
				if !uploaded {
					freed += size
				}
			}
			return nil
		})
	})
	p.gone[c.id] = struct{}{}
	p.removed(1, freed, c.createdAt)
	return err
}
