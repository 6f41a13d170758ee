package store

import (
	"context"
	"strings"
)

// Examine runs SQLite's quick check over the database, beside who writes; it returns what
// is damaged, or the cause of ctx when that ended before.
func (s *Store) Examine(ctx context.Context) error {
	var said []string
	err := s.read.WithContext(ctx).Raw("PRAGMA quick_check(3)").Scan(&said).Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case len(said) != 1 || said[0] != "ok":
		return damaged(databaseName, "is damaged: %s", strings.Join(said, "; "))
	}
	return nil
}
