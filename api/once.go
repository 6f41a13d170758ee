package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/latticed/latticed/store"
)

// call is a request that may carry an Idempotency-Key.
type call struct {
	once   *store.Once   // nil: it doesn't
	answer *store.Answer // the saved one
	again  bool          // of an earlier request
	kept   bool          // a transaction of this request has saved an answer
}

const maxKey = 255

// once begins a request that may be repeated. When it was answered before, the
// call has that answer already; otherwise the context makes the next change save
// what render makes of it, in the same transaction.
func (s *Server) once(ctx context.Context, key string, render func(v any) (status int, body any, ok bool)) (context.Context, *call, error) {
	c := &call{}
	if key == "" {
		return ctx, c, nil
	}
	if len(key) > maxKey {
		return ctx, nil, invalid(fieldError("Idempotency-Key", codeWrongValue, "is longer than %d bytes", maxKey))
	}
	who, err := principalOf(ctx)
	if err != nil {
		return ctx, nil, err
	}
	info := infoOf(ctx)
	c.once = &store.Once{
		Principal: who.Name,
		Route:     info.request.Method + " " + info.route,
		Key:       key,
		// The path names what is acted on, so it belongs to what was asked.
		Body: append([]byte(info.request.URL.Path+"\n"), info.body...),
		Render: func(v any) (store.Answer, bool, error) {
			status, body, ok := render(v)
			if !ok {
				return store.Answer{}, false, nil
			}
			a, err := answerOf(status, body)
			c.kept = err == nil
			return a, true, err
		},
	}
	answer, found, err := s.o.Store.Replay(ctx, *c.once)
	if err != nil {
		return ctx, nil, err
	}
	if found {
		c.answer, c.again = &answer, true
		return ctx, c, nil
	}
	return store.WithOnce(ctx, c.once), c, nil
}

// replayed finds in an error that a request running beside this one was first.
func (c *call) replayed(err error) bool {
	var first *store.ReplayedError
	if errors.As(err, &first) {
		c.answer, c.again = &first.Answer, true
	}
	return c.answer != nil
}

func answerOf(status int, body any) (store.Answer, error) {
	raw, err := json.Marshal(body)
	return store.Answer{Status: status, Header: map[string]string{"Content-Type": "application/json"}, Body: append(raw, '\n')}, err
}

// amend saves what is going to be answered, when that is more than was known within
// the transaction. Should we die before, nobody has had another answer.
func (s *Server) amend(ctx context.Context, c *call, status int, body any) {
	if c.once == nil {
		return
	}
	a, err := answerOf(status, body)
	if err == nil {
		err = s.o.Store.Amend(context.WithoutCancel(ctx), *c.once, a)
	}
	if err != nil {
		s.log.Warn().Err(err).Str(keyRoute, c.once.Route).Msg("the answer for an idempotency key stays what it was at first")
	}
}

// conclude saves what is going to be answered by a request that may have made several
// transactions, or none, so that no single one could save it. It tells whether another
// request with the same key was answered first; that answer is the call's then. Should
// we die before, the request is done again, which its route has to stand.
func (s *Server) conclude(ctx context.Context, c *call, status int, body any) (replayed bool) {
	switch {
	case c.once == nil:
		return false
	case c.kept:
		s.amend(ctx, c, status, body)
		return false
	}
	a, err := answerOf(status, body)
	if err == nil {
		err = s.o.Store.Keep(context.WithoutCancel(ctx), *c.once, a)
	}
	if c.replayed(err) {
		return true
	}
	if err != nil {
		s.log.Warn().Err(err).Str(keyRoute, c.once.Route).Msg("the answer for an idempotency key could not be saved")
	}
	return false
}

// saved is an answer given before.
type saved struct{ store.Answer }

func (c *call) saved() saved { return saved{*c.answer} }

func (a saved) write(w http.ResponseWriter) error {
	for k, v := range a.Header {
		w.Header().Set(k, v)
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(a.Status)
	_, err := w.Write(a.Body)
	return err
}

// VisitStoreLatticeResponse implements StoreLatticeResponseObject.
func (a saved) VisitStoreLatticeResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitCreateDispatchResponse implements CreateDispatchResponseObject.
func (a saved) VisitCreateDispatchResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitRedispatchResponse implements RedispatchResponseObject.
func (a saved) VisitRedispatchResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitCreateTriggerResponse implements CreateTriggerResponseObject.
func (a saved) VisitCreateTriggerResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitFireTriggerResponse implements FireTriggerResponseObject.
func (a saved) VisitFireTriggerResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitPutTriggerResponse implements PutTriggerResponseObject.
func (a saved) VisitPutTriggerResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitRetryEventsResponse implements RetryEventsResponseObject.
func (a saved) VisitRetryEventsResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitBackfillTriggerResponse implements BackfillTriggerResponseObject.
func (a saved) VisitBackfillTriggerResponse(w http.ResponseWriter) error { return a.write(w) }
