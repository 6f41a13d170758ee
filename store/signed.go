package store

import (
	"context"
	"strings"
	"time"
)

// signedKey begins the keys of meta that say up to when a token (id) has signed.
const signedKey = "signed:"

// Signed notes that a token has signed a request with that instant, before the request
// is carried out: after a restart none of an instant up to that one counts.
func (s *Store) Signed(ctx context.Context, token string, at time.Time) error {
	return s.change(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)", signedKey+token, at.UnixMicro())
		return err
	})
}

// SignedUntil returns, by token, the last instants that were noted, and forgets those
// before past.
func (s *Store) SignedUntil(ctx context.Context, past time.Time) (map[string]time.Time, error) {
	err := s.change(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM meta WHERE key >= ? AND key < ? AND value < ?", signedKey, signedKey+"~", past.UnixMicro())
		return err
	})
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Key   string
		Value int64
	}
	if err := s.read.WithContext(ctx).Raw("SELECT key, value FROM meta WHERE key >= ? AND key < ?", signedKey, signedKey+"~").Scan(&rows).Error; err != nil {
		return nil, err
	}
	until := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		until[strings.TrimPrefix(r.Key, signedKey)] = fromMicros(r.Value)
	}
	return until, nil
}
