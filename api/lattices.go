package api

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

// StoreLattice implements StrictServerInterface.
func (s *Server) StoreLattice(ctx context.Context, r StoreLatticeRequestObject) (StoreLatticeResponseObject, error) {
	who, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	l, err := parseLattice(infoOf(ctx))
	if err != nil {
		return nil, err
	}
	store.NameAudit(ctx, l.Name)
	known, err := s.o.Store.LatticeInfo(ctx, l.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	now := time.Now()
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, func(v any) (int, any, bool) {
		stored, ok := v.(store.Stored)
		if !ok {
			return 0, nil, false
		}
		if stored.New {
			return http.StatusCreated, newLattice(l, who.Name, now), true
		}
		return http.StatusOK, renamed(known, l, who.Name, now), true
	})
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	isNew, err := s.o.Store.InsertLattice(ctx, l, true, who.Name)
	switch {
	case call.replayed(err):
		return call.saved(), nil
	case err != nil:
		return nil, err
	}
	s.changed(ctx, "lattice stored", keyLattice, l.Name)
	if isNew {
		return StoreLattice201JSONResponse(newLattice(l, who.Name, now)), nil
	}
	return StoreLattice200JSONResponse(renamed(known, l, who.Name, now)), nil
}

// newLattice is what can be said of a lattice without reading it again: the answer is
// also rendered inside the transaction that stores it.
func newLattice(l *graph.Lattice, owner string, now time.Time) Lattice {
	return latticeOf(store.LatticeInfo{
		ID: l.ID, Name: l.Name, Names: []string{l.Name}, Description: l.Description,
		Electrons: len(l.Electrons), Owner: owner, CreatedBy: owner, CreatedAt: now,
	})
}

// renamed is a known lattice that its name points at from now on.
func renamed(known store.LatticeInfo, l *graph.Lattice, owner string, now time.Time) Lattice {
	if known.ID == "" { // it came in between
		return newLattice(l, owner, now)
	}
	known.Document = nil
	if !slices.Contains(known.Names, l.Name) {
		known.Names = append(slices.Clone(known.Names), l.Name)
	}
	return latticeOf(known)
}

// parseLattice reads the document of a request; JSON is read by its own rules, so
// that a slip in it isn't taken for YAML.
func parseLattice(info *requestInfo) (*graph.Lattice, error) {
	if strings.HasPrefix(info.request.Header.Get("Content-Type"), "application/json") {
		if err := objectOnly("", info.body); err != nil {
			return nil, err
		}
	}
	if len(info.body) == 0 {
		return nil, invalid(fieldError("", codeMissing, "the body is empty; a lattice document is needed"))
	}
	return graph.Parse(info.body)
}

// ListLattices implements StrictServerInterface.
func (s *Server) ListLattices(ctx context.Context, r ListLatticesRequestObject) (ListLatticesResponseObject, error) {
	ls, next, err := s.o.Store.Lattices(ctx, store.LatticeFilter{Limit: limitOf(r.Params.Limit), After: r.Params.After})
	if err != nil {
		return nil, err
	}
	page := ListLattices200JSONResponse{Items: make([]Lattice, 0, len(ls)), Next: orNull(next)}
	for _, l := range ls {
		page.Items = append(page.Items, latticeOf(l))
	}
	return page, nil
}

// GetLattice implements StrictServerInterface.
func (s *Server) GetLattice(ctx context.Context, r GetLatticeRequestObject) (GetLatticeResponseObject, error) {
	l, err := s.o.Store.LatticeInfo(ctx, r.Lattice)
	if err != nil {
		return nil, err
	}
	return GetLattice200JSONResponse(latticeOf(l)), nil
}

// GetInclude implements StrictServerInterface.
func (s *Server) GetInclude(ctx context.Context, r GetIncludeRequestObject) (GetIncludeResponseObject, error) {
	l, err := s.o.Store.Lattice(ctx, r.Lattice)
	if err != nil {
		return nil, err
	}
	f, ok := l.Include[r.Params.Path]
	if !ok {
		return nil, notFound("lattice %s includes no file %q%s", l.Name, r.Params.Path, meant(r.Params.Path, slices.Sorted(maps.Keys(l.Include))))
	}
	if f.SHA256 == "" {
		return GetInclude200ApplicationOctetStreamResponse{Body: bytes.NewReader(f.Data), ContentLength: int64(len(f.Data))}, nil
	}
	content, err := s.o.Store.OpenAsset(ctx, f.SHA256)
	if err != nil {
		return nil, err
	}
	return GetInclude200ApplicationOctetStreamResponse{Body: content}, nil
}
