package store

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"github.com/latticed/latticed/triggers"
)

// triggerView is a trigger with the time of its oldest undecided event.
type triggerView struct {
	Row      triggerRow `gorm:"embedded"`
	OldestAt int64
}

const selectTriggers = `SELECT t.*, (SELECT at FROM events WHERE trigger = t.n AND firing IS NULL ORDER BY n LIMIT 1) AS oldest_at FROM triggers t `

func (s *Store) fromTriggerView(v *triggerView) triggers.Trigger {
	return triggers.Trigger{
		ID: v.Row.ID, Name: v.Row.Name, Kind: v.Row.Kind, Revision: v.Row.Revision, State: triggers.State(v.Row.State), Reason: v.Row.Reason,
		Spec: fromRawText(v.Row.Spec), DispatchID: v.Row.DispatchID, LatticeID: v.Row.LatticeID, LatticeName: v.Row.LatticeName,
		Owner: v.Row.Owner, CreatedBy: v.Row.CreatedBy, RunAs: v.Row.RunAs, CreatedAt: fromMicros(v.Row.CreatedAt), UpdatedAt: fromMicros(v.Row.UpdatedAt),
		LastEventAt: fromMicros(v.Row.LastEventAt), LastFiringAt: fromMicros(v.Row.LastFiringAt), NextAt: fromMicros(v.Row.NextAt),
		OldestAt: fromMicros(v.OldestAt), Pending: s.counters.of(v.Row.N).pending, Seq: v.Row.Seq,
	}
}

func (s *Store) triggersWhere(db *gorm.DB, where string, args ...any) ([]triggers.Trigger, error) {
	var vs []triggerView
	if err := db.Raw(selectTriggers+where, args...).Scan(&vs).Error; err != nil {
		return nil, err
	}
	ts := make([]triggers.Trigger, len(vs))
	for i := range vs {
		ts[i] = s.fromTriggerView(&vs[i])
	}
	return ts, nil
}

// Triggers returns all triggers that were not removed, by name.
func (s *Store) Triggers(ctx context.Context) ([]triggers.Trigger, error) {
	return s.triggersWhere(s.read.WithContext(ctx), "WHERE removed_at IS NULL ORDER BY name")
}

// Trigger returns one by id or name.
func (s *Store) Trigger(ctx context.Context, idOrName string) (triggers.Trigger, error) {
	return s.trigger(s.read.WithContext(ctx), idOrName)
}

func (s *Store) trigger(db *gorm.DB, idOrName string) (triggers.Trigger, error) {
	ts, err := s.triggersWhere(db, "WHERE removed_at IS NULL AND (id = ? OR name = ?) ORDER BY id = ? DESC LIMIT 1", idOrName, idOrName, idOrName)
	if err == nil && len(ts) == 0 {
		err = notFound("trigger", idOrName)
	}
	if err != nil {
		return triggers.Trigger{}, err
	}
	return ts[0], nil
}

// TriggersPage returns a page in the order of names.
func (s *Store) TriggersPage(ctx context.Context, f TriggerFilter) ([]triggers.Trigger, string, error) {
	c, err := parseCursor("triggers", f.After)
	if err != nil {
		return nil, "", err
	}
	conds, args := []string{"removed_at IS NULL"}, []any{}
	also := func(sql string, arg any) { conds = append(conds, sql); args = append(args, arg) }
	if f.Kind != "" {
		also("kind = ?", f.Kind)
	}
	if len(f.State) > 0 {
		also("state IN ?", in(f.State))
	}
	if f.Owner != "" {
		also("owner = ?", f.Owner)
	}
	if f.Query != "" {
		also("instr(lower(name), lower(?)) > 0", f.Query)
	}
	if c != nil {
		also("name > ?", c.S)
	}
	limit := limitOf(f.Limit)
	ts, err := s.triggersWhere(s.read.WithContext(ctx), "WHERE "+strings.Join(conds, " AND ")+" ORDER BY name LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(ts) > limit {
		ts = ts[:limit]
		next = pageCursor{K: "triggers", S: ts[limit-1].Name}.String()
	}
	return ts, next, nil
}

// triggerNumbers resolves an id or name, removed triggers included: their history
// stays. A name may have belonged to several.
func triggerNumbers(db *gorm.DB, idOrName string) ([]int64, error) {
	var ns []int64
	err := db.Raw("SELECT n FROM triggers WHERE id = ?", idOrName).Scan(&ns).Error
	if err == nil && len(ns) == 0 {
		err = db.Raw("SELECT n FROM triggers WHERE name = ? ORDER BY n DESC", idOrName).Scan(&ns).Error
	}
	if err == nil && len(ns) == 0 {
		err = notFound("trigger", idOrName)
	}
	return ns, err
}
