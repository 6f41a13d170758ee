package api

import (
	"context"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

// Prune implements StrictServerInterface.
func (s *Server) Prune(ctx context.Context, r PruneRequestObject) (PruneResponseObject, error) {
	var rules store.Retention
	if s.o.Retention != nil {
		rules = s.o.Retention()
	}
	dry := false
	if r.Body != nil {
		dry = r.Body.DryRun
		if err := lay(r.Body, &rules); err != nil {
			return nil, err
		}
	}
	did, err := s.o.Store.Prune(ctx, rules, dry)
	if err != nil {
		return nil, err
	}
	if !dry {
		who, _ := principalOf(ctx) // it was known before
		s.log.Info().Str(keyPrincipal, who.Name).Int64("dispatches", did.Dispatches).Int64("events", did.Events).Int64("bytes", did.Bytes).Msg("pruned by hand")
	}
	return Prune200JSONResponse(did), nil
}

// lay puts the limits of a request over those of the configuration.
func lay(b *Prune, rules *store.Retention) error {
	if b.Age != "" {
		age, err := graph.DurationWithUnit(string(b.Age))
		if err != nil {
			return invalid(fieldError("age", codeWrongValue, "%v", err))
		}
		if age <= 0 {
			return invalid(fieldError("age", codeWrongValue, "must be more than nothing"))
		}
		rules.Age = age
	}
	if b.Bytes != "" {
		size, err := graph.SizeWithUnit(b.Bytes)
		if err != nil {
			return invalid(fieldError("bytes", codeWrongValue, "%v", err))
		}
		if size <= 0 {
			return invalid(fieldError("bytes", codeWrongValue, "must be more than nothing"))
		}
		rules.Bytes = size
	}
	if b.Count < 0 {
		return invalid(fieldError("count", codeWrongValue, "must not be negative"))
	}
	if b.Count > 0 {
		rules.Count = b.Count
	}
	return nil
}
