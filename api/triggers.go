package api

import (
	"context"
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
	if r.Params.DryRun {
		return s.previewNew(ctx, infoOf(ctx).body)
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
	states, err := words("state", r.Params.State, triggers.Preparing, triggers.Active, triggers.Degraded, triggers.Failing, triggers.Paused)
	if err != nil {
		return nil, err
	}
	ts, next, err := s.o.Store.TriggersPage(ctx, store.TriggerFilter{
		State: states, Kind: r.Params.Kind, Limit: limitOf(r.Params.Limit), After: r.Params.After,
	})
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
	t, err := s.trigger(ctx, r.Trigger)
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
		out.Set("advice", warningsOf(s.o.Triggers.Advice(ctx, t)))
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
	if r.Params.DryRun {
		p, err := shownPreview(s.o.Triggers.PreviewPatch(ctx, r.Trigger, body))
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	t, warnings, err := s.o.Triggers.Patch(ctx, r.Trigger, body, by)
	if err != nil {
		return nil, err
	}
	return shownTrigger{200, s.triggerOf(t, warnings)}, nil
}

// DeleteTrigger implements StrictServerInterface.
func (s *Server) DeleteTrigger(ctx context.Context, r DeleteTriggerRequestObject) (DeleteTriggerResponseObject, error) {
	t, err := s.trigger(ctx, r.Trigger)
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
