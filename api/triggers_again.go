package api

import (
	"context"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/latticed/latticed/triggers"
)

// maxRetried is how many events one request may name.
const maxRetried = 1000

// again begins a request that makes events in as many transactions as it takes: none of
// them has the answer, so that repeated ones have to wait for it. done ends it.
func (s *Server) again(ctx context.Context, key, trigger string) (_ context.Context, _ *call, t triggers.Trigger, done func(), err error) {
	if t, err = s.trigger(ctx, trigger); err != nil {
		return ctx, nil, t, nil, err
	}
	done = func() {}
	if key != "" {
		who, err := principalOf(ctx)
		if err != nil {
			return ctx, nil, t, nil, err
		}
		if done, err = s.turns.take(ctx, who.Name+"\n"+infoOf(ctx).route+"\n"+key); err != nil {
			return ctx, nil, t, nil, err
		}
	}
	ctx, call, err := s.once(ctx, key, func(any) (int, any, bool) { return 0, nil, false })
	if err != nil {
		done()
		return ctx, nil, t, nil, err
	}
	return ctx, call, t, done, nil
}

// RetryEvents implements StrictServerInterface.
func (s *Server) RetryEvents(ctx context.Context, r RetryEventsRequestObject) (RetryEventsResponseObject, error) {
	by, err := registrant(ctx)
	if err != nil {
		return nil, err
	}
	body := Retry{}
	if r.Body != nil {
		body = *r.Body
	}
	states, err := toRetry(&body)
	if err != nil {
		return nil, err
	}
	if body.DryRun {
		return s.previewRetry(ctx, r.Trigger, body.Events, states)
	}
	ctx, call, t, done, err := s.again(ctx, r.Params.IdempotencyKey, r.Trigger)
	if err != nil {
		return nil, err
	}
	defer done()
	if call.answer != nil {
		return call.saved(), nil
	}
	n, err := s.o.Triggers.Retry(ctx, t.ID, body.Events, states, body.Confirm, by)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	s.changed(ctx, "events come again by hand: "+strconv.Itoa(n), keyTrigger, t.Name)
	out := Retried{Retried: n}
	if s.conclude(ctx, call, http.StatusOK, out) {
		return call.saved(), nil
	}
	return RetryEvents200JSONResponse(out), nil
}

// previewRetry says what a retry would do.
func (s *Server) previewRetry(ctx context.Context, trigger string, events []string, states []triggers.EventState) (RetryEventsResponseObject, error) {
	n, pv, err := s.o.Triggers.PreviewRetry(ctx, trigger, events, states)
	if err != nil {
		return nil, err
	}
	shown := previewOf(pv)
	return RetryEvents200JSONResponse{Retried: n, Preview: &shown}, nil
}

// toRetry checks which events are asked for.
func toRetry(r *Retry) ([]triggers.EventState, error) {
	if err := confirmed(r.Confirm); err != nil {
		return nil, err
	}
	if n := len(r.Events); n > maxRetried {
		return nil, invalid(fieldError("events", codeTooLarge, "names %d events; %d may be named at a time, or none: then all in the states", n, maxRetried))
	}
	for i, id := range r.Events {
		if id == "" {
			return nil, invalid(fieldError("events["+strconv.Itoa(i)+"]", codeWrongValue, "must be the id of an event"))
		}
	}
	states := make([]triggers.EventState, 0, len(r.States))
	for i, word := range r.States {
		switch st := triggers.EventState(word); st {
		case triggers.EventRejected, triggers.EventDead, triggers.EventSkipped:
			states = append(states, st)
		default:
			return nil, invalid(fieldError("states["+strconv.Itoa(i)+"]", codeWrongValue, "%q events are not retried; rejected, dead and skipped ones are", word))
		}
	}
	return states, nil
}

// BackfillTrigger implements StrictServerInterface.
func (s *Server) BackfillTrigger(ctx context.Context, r BackfillTriggerRequestObject) (BackfillTriggerResponseObject, error) {
	by, err := registrant(ctx)
	if err != nil {
		return nil, err
	}
	body := Backfill{}
	if r.Body != nil {
		body = *r.Body
	}
	which, err := toBackfill(&body)
	if err != nil {
		return nil, err
	}
	ctx, call, t, done, err := s.again(ctx, r.Params.IdempotencyKey, r.Trigger)
	if err != nil {
		return nil, err
	}
	defer done()
	if call.answer != nil {
		return call.saved(), nil
	}
	did, err := s.o.Triggers.Backfill(ctx, t.ID, which, body.Confirm, body.DryRun, by)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	out := Backfilled(did)
	if body.DryRun {
		return BackfillTrigger200JSONResponse(out), nil
	}
	s.changed(ctx, "trigger backfilled: "+strconv.Itoa(out.Emitted), keyTrigger, t.Name)
	if s.conclude(ctx, call, http.StatusOK, out) {
		return call.saved(), nil
	}
	return BackfillTrigger200JSONResponse(out), nil
}

// toBackfill checks what is asked for.
func toBackfill(b *Backfill) (r triggers.Range, err error) {
	if err := confirmed(b.Confirm); err != nil {
		return r, err
	}
	if b.Path != "" {
		if r.Path, err = absolute(b.Path); err != nil {
			return r, err
		}
	}
	if r.Since, err = instant("since", b.Since); err != nil {
		return r, err
	}
	if r.Until, err = instant("until", b.Until); err != nil {
		return r, err
	}
	if !r.Since.IsZero() && !r.Until.IsZero() && !r.Since.Before(r.Until) {
		return r, invalid(fieldError("until", codeWrongValue, "must be later than since"))
	}
	return r, nil
}

func confirmed(n int) error {
	if n < 0 {
		return invalid(fieldError("confirm", codeWrongValue, "must be the number to confirm, not %d", n))
	}
	return nil
}

// absolute reads a path of a request.
func absolute(path string) (string, error) {
	switch {
	case !filepath.IsAbs(path):
		return "", invalid(fieldError("path", codeWrongValue, "must be an absolute path, not %q", path))
	case strings.Contains(path, "\x00"):
		return "", invalid(fieldError("path", codeWrongValue, "no path has a zero byte in it"))
	}
	return filepath.Clean(path), nil
}
