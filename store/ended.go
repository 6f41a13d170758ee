package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const (
	endsFrom = `SELECT d.ended_seq, d.number, d.lattice_name, l.id, coalesce(t.name, ''), coalesce(t.id, ''), d.status, coalesce(d.labels, '')
		FROM dispatches d INDEXED BY dispatches_ended JOIN lattices l ON l.n = d.lattice AND d.` + notGoing + `
		LEFT JOIN triggers t ON t.n = d.trigger WHERE d.ended_seq > ? ORDER BY d.ended_seq LIMIT ?`
	lastEnded = "SELECT coalesce(max(ended_seq), 0) FROM dispatches INDEXED BY dispatches_ended WHERE ended_seq IS NOT NULL"

	// causeOf is what fired a dispatch.
	causeOf = "SELECT t.id, t.kind, d.firing_id FROM dispatches d JOIN triggers t ON t.n = d.trigger WHERE d.id = ?"
	// causesBefore are the dispatches that the events of a firing are about, and of which
	// generation those events are.
	causesBefore = `SELECT coalesce(e.payload ->> '$.id', ''), e.generation FROM firings f JOIN events e INDEXED BY events_firing ON e.firing = f.n
		WHERE f.id = ? ORDER BY e.n DESC LIMIT ?`

	// maxCauses bounds how many dispatches are looked at to find what led to one.
	maxCauses = 64
	// followsEnds is the kind of trigger that an end of a dispatch fires.
	followsEnds = "dispatch"
)

// Ends implements triggers.Ledger.
func (s *Store) Ends(ctx context.Context, after int64, limit int) (es []triggers.End, place int64, err error) {
	err = s.quick(ctx, func(q querier) error {
		if place = after; after < 0 {
			return q.row(lastEnded, nil, &place)
		}
		seen := sameOnce{}
		return q.rows(endsFrom, []any{after, limit}, func(r rowScanner) error {
			var e triggers.End
			var status, labels string
			err := r.Scan(&e.Seq, &e.Number, &e.LatticeName, &e.LatticeID, &e.Trigger, &e.TriggerID, &status, &labels)
			if err != nil {
				return err
			}
			place, e.Status = e.Seq, graph.Status(seen.text(status))
			e.LatticeName, e.LatticeID = seen.text(e.LatticeName), seen.text(e.LatticeID)
			e.Trigger, e.TriggerID = seen.text(e.Trigger), seen.text(e.TriggerID)
			if e.Labels, err = seen.labels(labels); err != nil {
				return err
			}
			es = append(es, e)
			return nil
		})
	})
	return es, place, err
}

// sameOnce lets rows share what is the same in most of them: thousands are kept.
type sameOnce map[string]once

type once struct {
	text   string
	labels map[string]string
}

func (m sameOnce) text(s string) string {
	if o, ok := m[s]; ok {
		return o.text
	}
	m[s] = once{text: s}
	return s
}

func (m sameOnce) labels(raw string) (map[string]string, error) {
	if o := m[raw]; o.labels != nil {
		return o.labels, nil
	}
	ls, err := fromJSONMap[string](raw)
	m[raw] = once{raw, ls}
	return ls, err
}

// Ended implements triggers.Ledger.
func (s *Store) Ended(ctx context.Context, ends []triggers.End) (es []triggers.Ended, err error) {
	err = s.quick(ctx, func(q querier) error {
		for _, end := range ends {
			ds, err := dispatchesBy(q, "WHERE d.number = ?", end.Number)
			if err != nil {
				return err
			}
			if len(ds) == 0 {
				continue // it is pruned, or being pruned
			}
			e := triggers.Ended{Dispatch: ds[0], Seq: end.Seq}
			if e.Causes, err = causesOf(q, &e.Dispatch); err != nil {
				return err
			}
			es = append(es, e)
		}
		return nil
	})
	return es, err
}

// causesOf finds the triggers that led to a dispatch, its own first.
func causesOf(q querier, d *graph.Dispatch) ([]string, error) {
	if d.TriggerID == "" {
		return nil, nil
	}
	w := causeWalk{q: q, known: map[string]map[string]int{}}
	counts, err := w.counts(d.ID)
	if err != nil {
		return nil, err
	}
	causes := []string{d.TriggerID}
	counts[d.TriggerID]--
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		causes = append(causes, slices.Repeat([]string{id}, counts[id])...)
	}
	return causes, nil
}

// causeWalk goes back from a dispatch to what led to it. It remembers where it was: the
// events of one firing may have begun with the same dispatch.
type causeWalk struct {
	q     querier
	known map[string]map[string]int // by dispatch id
}

// counts tells how often each trigger took part: of several ways that lead to a
// dispatch, on the one where that was most often.
func (w *causeWalk) counts(id string) (map[string]int, error) {
	if c, ok := w.known[id]; ok || len(w.known) == maxCauses {
		return c, nil
	}
	w.known[id] = nil
	var trigger, kind, firing string
	err := w.q.row(causeOf, []any{id}, &trigger, &kind, &firing)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil // a person has made it, or it is deleted
	}
	if err != nil {
		return nil, err
	}
	c, own := map[string]int{}, 0
	if kind == followsEnds {
		if own, err = w.before(firing, c); err != nil {
			return nil, err
		}
	}
	c[trigger] = own + 1 // its events have counted themselves
	w.known[id] = c
	return c, nil
}

// before adds to c what led to the events of a firing, and tells their generation.
func (w *causeWalk) before(firing string, c map[string]int) (generation int, err error) {
	var before []string
	err = w.q.rows(causesBefore, []any{firing, maxCauses}, func(r rowScanner) error {
		var id string
		var g int
		err := r.Scan(&id, &g)
		before, generation = append(before, id), max(generation, g)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, id := range before {
		further, err := w.counts(id)
		if err != nil {
			return 0, err
		}
		for t, n := range further {
			c[t] = max(c[t], n)
		}
	}
	return generation, nil
}

// followed finds what triggers have made of the end of a dispatch.
const followed = `WHERE e.key = ? AND t.kind = '` + followsEnds + `' AND t.removed_at IS NULL ORDER BY e.n LIMIT ?`

// Followed returns the events that the end of a dispatch was, of the triggers that follow
// it: up to limit, oldest first.
func (s *Store) Followed(ctx context.Context, dispatch string, limit int) ([]triggers.Event, error) {
	r := &reader{s.read.WithContext(ctx)}
	return r.events(followed, dispatch, limit)
}
