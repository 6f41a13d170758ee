package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// forgotten is the largest sequence number of a tombstone that was pruned.
const forgotten = "forgotten"

// ChangedSince returns up to limit things that changed after seq, in order, each in its
// latest state. reset: that far back nothing is known, the reader starts over with
// lists and Seq.
func (s *Store) ChangedSince(ctx context.Context, seq int64, limit int) ([]Change, bool, error) {
	var cs []Change
	reset := false
	err := s.snapshot(ctx, func(r *reader) error {
		foreign, err := r.foreign(s, seq)
		if reset = foreign; err != nil || reset {
			return err
		}
		var lost int64
		if err := r.db.Raw("SELECT coalesce(max(value), 0) FROM meta WHERE key = ?", forgotten).Scan(&lost).Error; err != nil {
			return err
		}
		if reset = seq < lost; reset {
			return nil
		}
		places, err := r.changedPlaces(seq, limitOf(limit))
		if err != nil {
			return err
		}
		cs, err = s.changesAt(r, places)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("changes since %d: %w", seq, err)
	}
	return cs, reset, nil
}

// foreign tells whether a sequence number is of another database. A commit is seen here
// a moment before Seq knows it.
func (r *reader) foreign(s *Store, seq int64) (bool, error) {
	if seq >= 0 && seq <= s.Seq() {
		return false, nil
	}
	last, err := lastSeq(r.db.Statement.Context, r.db)
	return seq < 0 || seq > last, err
}

// changed is where a change is found.
type changed struct {
	Seq   int64
	Table string
	N     int64
}

func (r *reader) changedPlaces(seq int64, limit int) ([]changed, error) {
	var all []changed
	for _, t := range []struct{ table, seq, row, and string }{
		{"dispatches", "seq", "number", " AND " + notGoing},
		{"events", "seq", "n", ""},
		{"firings", "n", "n", ""}, // it never changes
		{"tombstones", "seq", "seq", ""},
		{"triggers", "seq", "n", " AND removed_at IS NULL"},
	} {
		var some []changed
		q := fmt.Sprintf("SELECT %[1]s AS seq, '%[2]s' AS \"table\", %[3]s AS n FROM %[2]s WHERE %[1]s > ?%[4]s ORDER BY %[1]s LIMIT ?", t.seq, t.table, t.row, t.and)
		if err := r.db.Raw(q, seq, limit).Scan(&some).Error; err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b changed) int { return cmp.Compare(a.Seq, b.Seq) })
	return all[:min(limit, len(all))], nil
}

// changesAt loads what changed, a table at a time.
func (s *Store) changesAt(r *reader, places []changed) ([]Change, error) {
	if len(places) == 0 {
		return nil, nil
	}
	rows := map[string][]int64{}
	at := make(map[int64]int, len(places))
	cs := make([]Change, len(places))
	for i, p := range places {
		rows[p.Table] = append(rows[p.Table], p.N)
		cs[i].Seq, at[p.Seq] = p.Seq, i
	}
	for _, load := range []func() error{
		func() error { return r.changedDispatches(rows["dispatches"], at, cs) },
		func() error { return r.changedEvents(rows["events"], at, cs) },
		func() error { return r.changedFirings(rows["firings"], at, cs) },
		func() error { return r.changedTombstones(rows["tombstones"], at, cs) },
		func() error {
			ts, err := s.triggersWhere(r.db, "WHERE n IN ?", rows["triggers"])
			for i := range ts {
				set(cs, at, ts[i].Seq, Change{Kind: KindTrigger, ID: ts[i].ID, Trigger: &ts[i]})
			}
			return err
		},
	} {
		if err := load(); err != nil {
			return nil, err
		}
	}
	return cs, nil
}

func set(cs []Change, at map[int64]int, seq int64, c Change) {
	c.Seq = seq
	cs[at[seq]] = c
}

func (r *reader) changedDispatches(ns []int64, at map[int64]int, cs []Change) error {
	var vs []dispatchView
	if err := r.db.Raw(selectDispatches+"WHERE d.number IN ?", ns).Scan(&vs).Error; err != nil {
		return err
	}
	ds, err := fromDispatchViews(vs)
	for i := range ds {
		set(cs, at, ds[i].Seq, Change{Kind: KindDispatch, ID: ds[i].ID, Dispatch: &ds[i]})
	}
	return err
}

func (r *reader) changedEvents(ns []int64, at map[int64]int, cs []Change) error {
	var vs []eventView
	if err := r.db.Raw(selectEvents+"WHERE e.n IN ?", ns).Scan(&vs).Error; err != nil {
		return err
	}
	for i := range vs {
		e := fromEventView(&vs[i])
		set(cs, at, vs[i].Row.Seq, Change{Kind: KindEvent, ID: e.ID, Event: &e})
	}
	return nil
}

func (r *reader) changedFirings(ns []int64, at map[int64]int, cs []Change) error {
	fs, err := r.firings("WHERE f.n IN ? ORDER BY f.n", ns)
	if err != nil {
		return err
	}
	slices.Sort(ns) // a firing is final: its seq is its row
	for i := range fs {
		set(cs, at, ns[i], Change{Kind: KindFiring, ID: fs[i].ID, Firing: &fs[i]})
	}
	return nil
}

func (r *reader) changedTombstones(ns []int64, at map[int64]int, cs []Change) error {
	var rows []tombstoneRow
	if err := r.db.Where("seq IN ?", ns).Find(&rows).Error; err != nil {
		return err
	}
	for _, t := range rows {
		set(cs, at, t.Seq, Change{Kind: Kind(t.Kind), ID: t.ID, Deleted: true})
	}
	return nil
}
