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

const (
	firstEntities = "SELECT key, version, data FROM entities WHERE trigger = ? ORDER BY key LIMIT ?"
	nextEntities  = "SELECT key, version, data FROM entities WHERE trigger = ? AND key > ? ORDER BY key LIMIT ?"
)

// Entities calls f for each entity of the inventory in order of Key.
func (s *Store) Entities(ctx context.Context, id string, f func(triggers.Change) error) error {
	n, _, err := s.triggerCount(ctx, id)
	if err != nil {
		return err
	}
	q, args := firstEntities, []any{n, entityPage}
	for {
		page, err := s.entities(ctx, q, args)
		if err != nil {
			return err
		}
		for _, c := range page {
			if err := f(c); err != nil {
				return err
			}
		}
		if len(page) < entityPage {
			return nil
		}
		q, args = nextEntities, []any{n, key(page[len(page)-1].Key), entityPage}
	}
}

func (s *Store) entities(ctx context.Context, q string, args []any) ([]triggers.Change, error) {
	var page []triggers.Change
	err := s.quick(ctx, func(lane querier) error {
		return lane.rows(q, args, func(r rowScanner) error {
			var c triggers.Change
			var data string
			err := r.Scan(&c.Key, &c.Version, &data)
			c.Data = fromRawText(data)
			page = append(page, c)
			return err
		})
	})
	return page, err
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

// Cursor returns what the last batch left, nil at first.
func (s *Store) Cursor(ctx context.Context, id string) (json.RawMessage, error) {
	var cursor string
	err := s.quick(ctx, func(q querier) error {
		return q.row("SELECT data FROM cursors WHERE trigger = ("+triggerNumber+")", []any{id}, &cursor)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return fromRawText(cursor), err
}
