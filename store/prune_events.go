package store

import (
	"context"
	"encoding/json"
)

// decided is a firing that may go.
type decided struct {
	n, at, trigger int64
	dispatches     string // JSON array of ids
	latest         bool   // no later one of its trigger has fired
	there          bool   // a dispatch of it is
}

// decidedPage reads firings in order: n is handed out as they are made.
const decidedPage = `SELECT f.n, f.at, f.trigger, coalesce(f.dispatches, ''), f.decision = 'fired' AND t.removed_at IS NULL AND f.n = (
		SELECT max(l.n) FROM firings l INDEXED BY firings_decision WHERE l.trigger = f.trigger AND l.decision = 'fired'),
	EXISTS (SELECT 1 FROM json_each(f.dispatches) j JOIN dispatches d ON d.id = j.value)
	FROM firings f JOIN triggers t ON t.n = f.trigger WHERE f.n > ? ORDER BY f.n LIMIT ?`

// firings removes decisions and their events up to the horizon, where no dispatch is
// left of them.
func (p *pruner) firings(ctx context.Context) error {
	for after := int64(0); p.horizon > 0; {
		page := make([]decided, 0, prunePage)
		err := p.s.quick(ctx, func(q querier) error {
			return q.rows(decidedPage, []any{after, prunePage}, func(r rowScanner) error {
				page = append(page, decided{})
				f := &page[len(page)-1]
				return r.Scan(&f.n, &f.at, &f.trigger, &f.dispatches, &f.latest, &f.there)
			})
		})
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].n
		over := false
		var due []decided
		for i := range page {
			f := &page[i]
			if over = f.at >= p.horizon; over {
				break
			}
			stays, err := p.needed(f)
			if err != nil {
				return err
			}
			if !stays {
				due = append(due, *f)
			}
		}
		if err := p.forget(ctx, due); err != nil || over {
			return err
		}
	}
	return nil
}

// needed tells whether a firing stays: it was the last of its trigger, or has led to
// what is there.
func (p *pruner) needed(f *decided) (bool, error) {
	if f.latest || !f.there || !p.dry {
		return f.latest || f.there, nil
	}
	var ids []string
	if err := json.Unmarshal([]byte(f.dispatches), &ids); err != nil {
		return false, err
	}
	var there int64
	for _, id := range ids {
		if _, gone := p.gone[id]; gone {
			continue
		}
		if err := p.s.read.Raw("SELECT count(*) FROM dispatches WHERE id = ?", id).Scan(&there).Error; err != nil || there > 0 {
			return true, err
		}
	}
	return false, nil
}

// forget removes firings with their events and keeps the keys of these.
func (p *pruner) forget(ctx context.Context, due []decided) error {
	for len(due) > 0 {
		if p.dry {
			var n int64
			if err := p.s.quick(ctx, func(q querier) error {
				return q.row("SELECT count(*) FROM events WHERE firing = ?", []any{due[0].n}, &n)
			}); err != nil {
				return err
			}
			p.out.Firings, p.out.Events, due = p.out.Firings+1, p.out.Events+n, due[1:]
			continue
		}
		var firings int
		var events int64
		err := p.change(ctx, func(t *tx, turn turn) error {
			firings, events = 0, 0 // of an earlier try
			for _, f := range due {
				n, all, err := t.forgetFiring(&f, turn)
				if events += n; err != nil || !all {
					return err
				}
				if firings++; !turn.left() {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.out.Events += events
		p.out.Firings += int64(firings)
		due = due[firings:]
	}
	return nil
}

const (
	keysPerRead = 25
	eventKeys   = "SELECT e.n, e.key, coalesce(e.dedupe, ''), t.removed_at IS NULL FROM events e JOIN triggers t ON t.n = e.trigger WHERE e.firing = ? LIMIT ?"
)

// forgetFiring removes the events of a firing, as many as there is time for, and then
// the firing itself.
func (t *tx) forgetFiring(f *decided, turn turn) (events int64, all bool, err error) {
	for {
		type event struct {
			n           int64
			key, dedupe string
			alive       bool // its trigger is
		}
		var es []event
		err := t.rows(eventKeys, []any{f.n, keysPerRead}, func(r rowScanner) error {
			es = append(es, event{})
			e := &es[len(es)-1]
			return r.Scan(&e.n, &e.key, &e.dedupe, &e.alive)
		})
		if err != nil {
			return events, false, err
		}
		for _, e := range es {
			if e.alive {
				if err := t.keepKeys(f.trigger, e.key, e.dedupe); err != nil {
					return events, false, err
				}
			}
			if _, err := t.exec("DELETE FROM events WHERE n = ?", e.n); err != nil {
				return events, false, err
			}
			events++
		}
		if len(es) < keysPerRead {
			break
		}
		if !turn.left() {
			return events, false, nil
		}
	}
	if err := t.keepSeq(); err != nil {
		return events, false, err
	}
	_, err = t.exec("DELETE FROM firings WHERE n = ?", f.n)
	return events, true, err
}
