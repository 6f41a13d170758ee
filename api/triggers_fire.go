package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// FireTrigger implements StrictServerInterface.
func (s *Server) FireTrigger(ctx context.Context, r FireTriggerRequestObject) (FireTriggerResponseObject, error) {
	by, err := registrant(ctx)
	if err != nil {
		return nil, err
	}
	payload, event, err := toFire(r.Body)
	if err != nil {
		return nil, err
	}
	t, err := s.trigger(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, func(v any) (int, any, bool) {
		switch v := v.(type) {
		case triggers.Recorded:
			if len(v.Events) > 0 {
				return http.StatusCreated, recordedFiring(t.Revision, v), true
			}
		case []graph.Dispatch:
			if len(v) > 0 {
				return http.StatusCreated, decidedFiring(t, event, v), true
			}
		}
		return 0, nil, false
	})
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	var f triggers.Firing
	if event != "" {
		f, err = s.o.Triggers.FireEvent(ctx, t.ID, event, by)
	} else {
		f, err = s.o.Triggers.Fire(ctx, t.ID, payload, by)
	}
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	s.changed(ctx, "trigger fired by hand", keyTrigger, t.Name)
	out := firingOf(f)
	if event != "" && s.conclude(ctx, call, http.StatusCreated, out) {
		return call.saved(), nil
	}
	return FireTrigger201JSONResponse(out), nil
}

// toFire reads what to fire: a payload, or the id of an event.
func toFire(f *Fire) (payload json.RawMessage, event string, err error) {
	switch {
	case f == nil:
		return nil, "", nil
	case len(f.Payload) > 0 && f.Event != "":
		return nil, "", invalid(fieldError("event", codeWrongValue, "give payload or event, not both: an event has its own payload"))
	case len(f.Payload) > 0:
		return f.Payload, "", objectOnly("payload", f.Payload)
	}
	return nil, f.Event, nil
}

// recordedFiring is the firing of an event made by hand, as it is known inside the
// transaction that stores it.
func recordedFiring(revision int, rec triggers.Recorded) Firing {
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

// decidedFiring is the firing of an event that was waiting, as it is known inside the
// transaction that makes its dispatches.
func decidedFiring(t triggers.Trigger, event string, ds []graph.Dispatch) Firing {
	f := triggers.Firing{
		ID: ds[0].FiringID, TriggerID: t.ID, Revision: t.Revision, Decision: triggers.EventFired, Reason: triggers.ReasonManual,
		EventIDs: []string{event}, Inputs: ds[0].Inputs, At: ds[0].CreatedAt,
	}
	for _, d := range ds {
		f.DispatchIDs = append(f.DispatchIDs, d.ID)
	}
	return firingOf(f)
}
