package store

import (
	"context"

	"github.com/latticed/latticed/graph"
)

// nearest is how many names are looked at for the one that was meant: those that begin
// as what was written does, and as many of the others. There may be a million.
const nearest = 2000

// Near is the name of a lattice, a trigger or a token that is most like a word, or empty:
// there is none, or it can't be read.
func (s *Store) Near(ctx context.Context, what, word string) string {
	from, ok := map[string]struct{ rows, newest string }{
		"lattice": {"lattice_names WHERE true", "lattice"},
		"trigger": {"triggers WHERE removed_at IS NULL", "n"},
		"token":   {"tokens WHERE revoked_at IS NULL", "id"},
	}[what]
	const begins = 2 // letters that are believed
	if !ok || len(word) < begins {
		return ""
	}
	first, names := word[:begins], []string{}
	err := s.read.WithContext(ctx).Raw("SELECT * FROM (SELECT name FROM "+from.rows+" AND name >= ? AND name < ? ORDER BY name LIMIT ?)"+
		" UNION SELECT * FROM (SELECT name FROM "+from.rows+" ORDER BY "+from.newest+" DESC LIMIT ?)",
		first, first[:1]+string(rune(first[1]+1)), nearest, nearest).Scan(&names).Error
	if err != nil {
		return ""
	}
	return graph.Suggest(word, names)
}
