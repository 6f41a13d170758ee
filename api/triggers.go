package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// CreateTrigger implements StrictServerInterface.
func (s *Server) CreateTrigger(ctx context.Context, r CreateTriggerRequestObject) (CreateTriggerResponseObject, error) {
	by, err := registrant(ctx)
	if err != nil {
		return nil, err
	}
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, func(v any) (int, any, bool) {
		t, ok := v.(triggers.Trigger)
		return http.StatusCreated, s.triggerOf(t, nil), ok
	})
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	t, warnings, err := s.o.Triggers.Add(ctx, infoOf(ctx).body, by)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	out := s.triggerOf(t, warnings)
	s.changed(ctx, "trigger added", keyTrigger, t.Name)
	s.amend(ctx, call, http.StatusCreated, out) // the baseline came after the insert
	return shownTrigger{201, out}, nil
}

// registrant is who registers, edits or fires a trigger.
func registrant(ctx context.Context) (triggers.Principal, error) {
	who, err := principalOf(ctx)
	return triggers.Principal{Name: who.Name}, err
}

// ListTriggers implements StrictServerInterface.
func (s *Server) ListTriggers(ctx context.Context, r ListTriggersRequestObject) (ListTriggersResponseObject, error) {
	ts, next, err := s.o.Store.TriggersPage(ctx, store.TriggerFilter{Limit: limitOf(r.Params.Limit), After: r.Params.After})
	if err != nil {
		return nil, err
	}
	page := ListTriggers200JSONResponse{Items: make([]Trigger, 0, len(ts)), Next: orNull(next)}
	for _, t := range ts {
		page.Items = append(page.Items, s.triggerOf(t, nil))
	}
	return page, nil
}

// GetTrigger implements StrictServerInterface.
func (s *Server) GetTrigger(ctx context.Context, r GetTriggerRequestObject) (GetTriggerResponseObject, error) {
	t, err := s.o.Store.Trigger(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	out := s.triggerOf(t, nil)
	if r.Params.Effective {
		settings, err := s.o.Triggers.Effective(ctx, t)
		if err != nil {
			return nil, err
		}
		out.Set("effective", settings)
	}
	return shownTrigger{200, out}, nil
}

// PatchTrigger implements StrictServerInterface.
func (s *Server) PatchTrigger(ctx context.Context, r PatchTriggerRequestObject) (PatchTriggerResponseObject, error) {
	by, err := registrant(ctx)
	if err != nil {
		return nil, err
	}
	body := infoOf(ctx).body
	if err := objectOnly("", body); err != nil {
		return nil, err
	}
	t, warnings, err := s.o.Triggers.Patch(ctx, r.Trigger, body, by)
	if err != nil {
		return nil, err
	}
	return shownTrigger{200, s.triggerOf(t, warnings)}, nil
}

// DeleteTrigger implements StrictServerInterface.
func (s *Server) DeleteTrigger(ctx context.Context, r DeleteTriggerRequestObject) (DeleteTriggerResponseObject, error) {
	t, err := s.o.Store.Trigger(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	if err := s.o.Triggers.Remove(ctx, t.ID); err != nil {
		return nil, err
	}
	s.changed(ctx, "trigger removed", keyTrigger, t.Name)
	return DeleteTrigger204Response{}, nil
}

// PauseTrigger implements StrictServerInterface.
func (s *Server) PauseTrigger(ctx context.Context, r PauseTriggerRequestObject) (PauseTriggerResponseObject, error) {
	t, err := s.o.Triggers.Pause(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	return shownTrigger{200, s.triggerOf(t, nil)}, nil
}

// ResumeTrigger implements StrictServerInterface.
func (s *Server) ResumeTrigger(ctx context.Context, r ResumeTriggerRequestObject) (ResumeTriggerResponseObject, error) {
	backlog := ""
	if r.Body != nil {
		backlog = r.Body.Backlog
	}
	switch backlog {
	case "", "fire", "skip":
	default:
		return nil, invalid(fieldError("backlog", codeWrongValue, "must be fire or skip, not %q", backlog))
	}
	t, err := s.o.Triggers.Resume(ctx, r.Trigger, backlog)
	if err != nil {
		return nil, err
	}
	return shownTrigger{200, s.triggerOf(t, nil)}, nil
}

// FireTrigger implements StrictServerInterface.
func (s *Server) FireTrigger(ctx context.Context, r FireTriggerRequestObject) (FireTriggerResponseObject, error) {
	by, err := registrant(ctx)
	if err != nil {
		return nil, err
	}
	var payload json.RawMessage
	if r.Body != nil && len(r.Body.Payload) > 0 {
		payload = r.Body.Payload
		if err := objectOnly("payload", payload); err != nil {
			return nil, err
		}
	}
	t, err := s.o.Store.Trigger(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, func(v any) (int, any, bool) {
		rec, ok := v.(store.Recorded)
		if !ok || len(rec.Events) == 0 {
			return 0, nil, false
		}
		return http.StatusCreated, recordedFiring(t.Revision, rec), true
	})
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	f, err := s.o.Triggers.Fire(ctx, t.ID, payload, by)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	s.changed(ctx, "trigger fired by hand", keyTrigger, t.Name)
	return FireTrigger201JSONResponse(firingOf(f)), nil
}

// recordedFiring is the firing of an event made by hand, as it is known inside the
// transaction that stores it.
func recordedFiring(revision int, rec store.Recorded) Firing {
	e := rec.Events[0]
	f := triggers.Firing{
		ID: e.FiringID, TriggerID: e.TriggerID, Revision: revision, Decision: e.State, Reason: e.Reason,
		EventIDs: []string{e.ID}, At: e.At,
	}
	for _, d := range rec.Dispatches {
		f.DispatchIDs, f.Inputs = append(f.DispatchIDs, d.ID), d.Inputs
	}
	return firingOf(f)
}

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
	es, next, err := s.o.Store.Events(ctx, trigger, states, limitOf(r.Params.Limit), r.Params.After)
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
	trigger, err := s.history(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	fs, next, err := s.o.Store.Firings(ctx, trigger, nil, limitOf(r.Params.Limit), r.Params.After)
	if err != nil {
		return nil, err
	}
	page := ListFirings200JSONResponse{Items: make([]Firing, 0, len(fs)), Next: orNull(next)}
	for _, f := range fs {
		page.Items = append(page.Items, firingOf(f))
	}
	return page, nil
}
