package store

import (
	"context"
	"time"
)

// Held is why a store is held: it was restored from a backup.
type Held struct {
	Since  time.Time // when it was restored
	Backup time.Time // when the backup was made
}

// Held tells whether the store was restored and nobody has let it go on yet.
func (s *Store) Held(ctx context.Context) (Held, bool, error) {
	var h Held
	var rows []struct {
		Key   string
		Value int64
	}
	err := s.read.WithContext(ctx).Raw("SELECT key, value FROM meta WHERE key = ? OR key = ?", heldKey, backedUpKey).Scan(&rows).Error
	for _, r := range rows {
		if r.Key == heldKey {
			h.Since = fromMicros(r.Value)
		} else {
			h.Backup = fromMicros(r.Value)
		}
	}
	return h, !h.Since.IsZero(), err
}

// EndHold lets the store go on; it tells whether it was held.
func (s *Store) EndHold(ctx context.Context) (bool, error) {
	var n int64
	err := s.change(ctx, func(t *tx) (err error) {
		n, err = t.exec("DELETE FROM meta WHERE key = ? OR key = ?", heldKey, backedUpKey)
		return err
	})
	return n > 0, err
}
