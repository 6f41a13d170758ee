package api

import (
	"context"
	"errors"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// history is what the store finds the events and firings of a trigger by: its id, or
// the words of the request when it was removed, since its history stays.
func (s *Server) history(ctx context.Context, idOrName string) (string, error) {
	t, err := s.o.Store.Trigger(ctx, idOrName)
	if errors.Is(err, store.ErrNotFound) {
		return idOrName, nil
	}
	return t.ID, err
}

// ListEvents implements StrictServerInterface.
func (s *Server) ListEvents(ctx context.Context, r ListEventsRequestObject) (ListEventsResponseObject, error) {
	states, err := words("state", r.Params.State, triggers.EventPending, triggers.EventHeld, triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead)
	if err != nil {
		return nil, err
	}
	trigger, err := s.history(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	path := r.Params.Path
	if path != "" {
		if path, err = absolute(path); err != nil {
			return nil, err
		}
	}
	es, next, err := s.o.Store.EventsPage(ctx, store.EventFilter{
		Trigger: trigger, States: states, Kind: r.Params.Kind, Path: path, Limit: limitOf(r.Params.Limit), After: r.Params.After,
	})
	if err != nil {
		return nil, err
	}
	page := ListEvents200JSONResponse{Items: make([]Event, 0, len(es)), Next: orNull(next)}
	for _, e := range es {
		page.Items = append(page.Items, eventOf(e))
	}
	return page, nil
}

// ListFirings implements StrictServerInterface.
func (s *Server) ListFirings(ctx context.Context, r ListFiringsRequestObject) (ListFiringsResponseObject, error) {
	decisions, err := words("decision", r.Params.Decision, triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead)
	if err != nil {
		return nil, err
	}
	trigger, err := s.history(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	fs, next, err := s.o.Store.Firings(ctx, trigger, decisions, limitOf(r.Params.Limit), r.Params.After)
	if err != nil {
		return nil, err
	}
	page := ListFirings200JSONResponse{Items: make([]Firing, 0, len(fs)), Next: orNull(next)}
	for _, f := range fs {
		page.Items = append(page.Items, firingOf(f))
	}
	return page, nil
}
