package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/store"
)

// Whoami implements StrictServerInterface.
func (s *Server) Whoami(ctx context.Context, _ WhoamiRequestObject) (WhoamiResponseObject, error) {
	who, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	out := Whoami200JSONResponse{Name: who.Name, Via: who.Via, Role: who.Role, RunAs: s.o.RunAs, Version: s.o.Version}
	if who.Token == "" {
		uid, gid := int64(who.UID), int64(who.GID)
		out.UID, out.GID = &uid, &gid
	}
	if who.Trigger != "" {
		t, err := s.o.Store.Trigger(ctx, who.Trigger)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		out.Trigger = orNull(t.Name)
	}
	return out, nil
}

// kinded is an executor that says of what kind it is; several may be of one.
type kinded interface{ Kind() string }

// ListExecutors implements StrictServerInterface.
func (s *Server) ListExecutors(context.Context, ListExecutorsRequestObject) (ListExecutorsResponseObject, error) {
	page := ListExecutors200JSONResponse{Items: []Executor{}}
	for _, name := range slices.Sorted(maps.Keys(s.o.Executors)) {
		kind := name // of one that is alone of its kind
		if k, ok := s.o.Executors[name].(kinded); ok {
			kind = k.Kind()
		}
		page.Items = append(page.Items, Executor{Name: name, Kind: kind})
	}
	return page, nil
}

// CheckExecutor implements StrictServerInterface.
func (s *Server) CheckExecutor(ctx context.Context, r CheckExecutorRequestObject) (CheckExecutorResponseObject, error) {
	e, ok := s.o.Executors[r.Executor]
	if !ok {
		return nil, notFound("there is no executor %q%s", r.Executor, meant(r.Executor, slices.Sorted(maps.Keys(s.o.Executors))))
	}
	out := CheckExecutor200JSONResponse{Name: r.Executor, Ok: true}
	if c, ok := e.(executors.Checker); ok {
		if err := c.Check(ctx); err != nil {
			out.Ok, out.Error = false, orNull(err.Error())
		}
	}
	return out, nil
}

// Healthz implements StrictServerInterface.
func (s *Server) Healthz(ctx context.Context, _ HealthzRequestObject) (HealthzResponseObject, error) {
	if s.o.Alive != nil {
		if err := s.o.Alive(ctx); err != nil {
			return nil, &Error{Status: http.StatusServiceUnavailable, Code: "unhealthy", Detail: err.Error()}
		}
	}
	return Healthz200JSONResponse{Status: "ok"}, nil
}

// Readyz implements StrictServerInterface.
func (s *Server) Readyz(ctx context.Context, _ ReadyzRequestObject) (ReadyzResponseObject, error) {
	select {
	case <-s.stopping:
		return nil, errStopping
	default:
	}
	if !s.o.Dispatcher.Ready() || !s.o.Triggers.Ready() {
		return nil, &Error{Status: http.StatusServiceUnavailable, Code: "starting", Detail: "the daemon is finding again what an earlier one left running"}
	}
	if err := s.o.Store.Health(); err != nil {
		return nil, err
	}
	return Readyz200JSONResponse{Status: "ready"}, nil
}
