package directory

import "github.com/latticed/latticed/triggers"

var _ triggers.Ignorer = (*source)(nil)

// Ignores tells whether the rules of now leave out the file of an event.
func (s *source) Ignores(fields map[string]any) bool {
	rel, _ := fields["rel"].(string)
	return rel != "" && s.leaves(rel) != ""
}
