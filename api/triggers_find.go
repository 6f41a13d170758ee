package api

import (
	"context"
	"errors"
	"regexp"
	"sync"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

var namePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) })

// isName tells whether a trigger may be called so.
func isName(s string) bool { return namePattern().MatchString(s) }

// trigger finds one by id or name, or says which was meant.
func (s *Server) trigger(ctx context.Context, idOrName string) (triggers.Trigger, error) {
	t, err := s.o.Store.Trigger(ctx, idOrName)
	if errors.Is(err, store.ErrNotFound) {
		err = s.noTrigger(ctx, idOrName, err)
	}
	return t, err
}

// noTrigger is the error of a trigger that is not there, with the name that was meant.
// Other errors stay as they are: a target may be what is not found.
func (s *Server) noTrigger(ctx context.Context, idOrName string, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, e := s.o.Store.Trigger(ctx, idOrName); !errors.Is(e, store.ErrNotFound) {
		return err
	}
	names, e := s.o.Store.TriggerNames(ctx)
	if e != nil {
		return err
	}
	if near := graph.Suggest(idOrName, names); near != "" {
		return notFound("trigger %q: not found; did you mean %q?", idOrName, near)
	}
	return notFound("trigger %q: not found", idOrName)
}
