package api

import (
	"context"
	"net/http"

	"github.com/latticed/latticed/triggers"
)

// PutTrigger implements StrictServerInterface.
func (s *Server) PutTrigger(ctx context.Context, r PutTriggerRequestObject) (PutTriggerResponseObject, error) {
	by, err := registrant(ctx)
	if err != nil {
		return nil, err
	}
	body := infoOf(ctx).body
	if err := objectOnly("", body); err != nil {
		return nil, err
	}
	if r.Params.DryRun {
		p, err := shownPreview(s.o.Triggers.PreviewPut(ctx, r.Trigger, body))
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, func(v any) (int, any, bool) {
		t, ok := v.(triggers.Trigger)
		return putStatus(t.Revision == 1), s.triggerOf(t, nil), ok
	})
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	t, warnings, did, err := s.o.Triggers.Put(ctx, r.Trigger, body, by)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	if did == triggers.Created {
		s.changed(ctx, "trigger added", keyTrigger, t.Name)
	}
	out := shownTrigger{putStatus(did == triggers.Created), s.triggerOf(t, warnings)}
	if s.conclude(ctx, call, out.status, out.Trigger) {
		return call.saved(), nil
	}
	return out, nil
}

func putStatus(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}
