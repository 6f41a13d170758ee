package store

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// reader is one read transaction: what it returns belongs together.
type reader struct{ db *gorm.DB }

func (s *Store) snapshot(ctx context.Context, do func(*reader) error) error {
	return s.read.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		return do(&reader{db})
	}, &sql.TxOptions{ReadOnly: true})
}

// limitOf keeps a page between 1 and 500 items, 50 when nothing is said.
func limitOf(n int) int {
	if n <= 0 {
		return 50
	}
	return min(n, 500)
}

// in is a list of words as arguments of IN; gorm expands it.
func in[T ~string](words []T) []string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = string(w)
	}
	return s
}

func (r *reader) row(q string, args []any, into ...any) error {
	return r.db.Raw(q, args...).Row().Scan(orZeros(into)...)
}

func (r *reader) rows(q string, args []any, scan func(rowScanner) error) error {
	rows, err := r.db.Raw(q, args...).Rows()
	return each(rows, err, scan)
}
