package api

import (
	"context"
	"regexp"
	"sync"

	"github.com/latticed/latticed/triggers"
)

var namePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) })

// isName tells whether a trigger may be called so.
func isName(s string) bool { return namePattern().MatchString(s) }

// trigger finds one by id or name.
func (s *Server) trigger(ctx context.Context, idOrName string) (triggers.Trigger, error) {
	return s.o.Store.Trigger(ctx, idOrName)
}
