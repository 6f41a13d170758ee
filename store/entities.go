package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/latticed/latticed/triggers"
)

// entityPage is how many entities are read at once; no lock is held between pages.
const entityPage = 1000

// Entities calls f for each entity of the inventory in order of Key.
func (s *Store) Entities(ctx context.Context, id string, f func(triggers.Change) error) error {
	ns, err := triggerNumbers(s.read.WithContext(ctx), id)
	if err != nil {
		return err
	}
	where, args := "trigger = ?", []any{ns[0]}
	for {
		var rows []entityRow
		err := s.read.WithContext(ctx).Where(where, args...).Order("key").Limit(entityPage).Find(&rows).Error
		if err != nil {
			return err
		}
		for i := range rows {
			if err := f(fromEntityRow(&rows[i])); err != nil {
				return err
			}
		}
		if len(rows) < entityPage {
			return nil
		}
		where, args = "trigger = ? AND key > ?", []any{ns[0], key(rows[len(rows)-1].Key)}
	}
}

// Entity returns one entity of the inventory, false when there is none.
func (s *Store) Entity(ctx context.Context, id string, k []byte) (triggers.Change, bool, error) {
	c := triggers.Change{}
	var data string
	err := s.quick(ctx, func(q querier) error {
		return q.row("SELECT key, version, data FROM entities WHERE trigger = ("+triggerNumber+") AND key = ?", []any{id, key(k)}, &c.Key, &c.Version, &data)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	c.Data = fromRawText(data)
	return c, err == nil, err
}

func fromEntityRow(r *entityRow) triggers.Change {
	return triggers.Change{Key: r.Key, Version: r.Version, Data: fromRawText(r.Data)}
}

// Cursor returns what the last batch left, nil at first.
func (s *Store) Cursor(ctx context.Context, id string) (json.RawMessage, error) {
	var rows []string
	err := s.read.WithContext(ctx).Raw("SELECT data FROM cursors WHERE trigger = (SELECT n FROM triggers WHERE id = ?)", id).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return json.RawMessage(rows[0]), nil
}
