package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/webhook"
)

const (
	maxHook = 1 << 20 // of the body of a delivery
	// hookWait is how long a delivery waits to be stored.
	hookWait = 30 * time.Second
	hooks    = "/v1/hooks/"
)

// Codes of deliveries.
const (
	codeBadSignature     = "bad_signature"
	codeSignatureExpired = "signature_expired"
	codeRateLimited      = "rate_limited"
	codeNotReady         = "not_ready"
	codeUploadMissing    = "upload_missing"
)

// errNoHook is what everybody is told who may not deliver, whatever the reason is.
var errNoHook = &Error{Status: http.StatusNotFound, Code: codeNotFound, Detail: "there is no such hook, or not for you"}

// GetHook implements StrictServerInterface.
func (s *Server) GetHook(ctx context.Context, r GetHookRequestObject) (GetHookResponseObject, error) {
	t, err := s.trigger(ctx, r.Trigger)
	if err != nil {
		return nil, err
	}
	if t.Kind != webhook.Name {
		return nil, &Error{Status: http.StatusConflict, Code: "no_webhook", Detail: "trigger " + t.Name + " is of kind " + t.Kind + "; only one of kind webhook is delivered to"}
	}
	a, err := webhook.AddressOf(t.Spec)
	if err != nil {
		return nil, err
	}
	return GetHook200JSONResponse{Path: a.Path, Auth: a.Auth}, nil
}

// DeliverHook implements StrictServerInterface.
func (s *Server) DeliverHook(ctx context.Context, r DeliverHookRequestObject) (DeliverHookResponseObject, error) {
	if s.o.Hooks == nil {
		return nil, errNoHook
	}
	info := infoOf(ctx)
	query, err := url.ParseQuery(info.request.URL.RawQuery)
	if err != nil {
		return nil, invalid(fieldError("", codeWrongValue, "the query can't be read: %v", err))
	}
	within, cancel := context.WithTimeout(ctx, hookWait)
	defer cancel()
	receipt, err := s.o.Hooks.Deliver(within, webhook.Delivery{
		To: r.Secret, Header: info.request.Header, Query: query, Body: info.body, At: time.Now(), Sender: senderOf(ctx),
	})
	if err != nil {
		return nil, s.undelivered(ctx, r.Secret, err)
	}
	return DeliverHook202JSONResponse{Trigger: receipt.Trigger, Key: receipt.Key, Duplicate: receipt.Duplicate}, nil
}

// senderOf is who delivers: nobody, as a rule.
func senderOf(ctx context.Context) webhook.Sender {
	who, err := principalOf(ctx)
	if err != nil {
		return webhook.Sender{}
	}
	return webhook.Sender{Name: who.Name, Trigger: who.Trigger, Any: who.Role == RoleOperator || who.Role == RoleAdmin}
}

// undelivered is the answer to a delivery that was not stored.
func (s *Server) undelivered(ctx context.Context, to string, err error) error {
	var rate *webhook.RateError
	var place *webhook.PlaceError
	var rel *store.RelError
	var unknown *webhook.UnknownError
	away := &Error{Status: http.StatusServiceUnavailable, Code: codeNotReady, Detail: webhook.ErrAway.Error() + "; deliver it again"}
	switch {
	case errors.As(err, &place) && errors.As(err, &rel):
		return invalid(fieldError("rel", codeWrongValue, "%v", rel))
	case errors.As(err, &place) && errors.Is(err, store.ErrNoUpload):
		return &Error{Status: http.StatusConflict, Code: codeUploadMissing, Detail: store.ErrNoUpload.Error()}
	case errors.As(err, &place):
		return place.Err
	case errors.As(err, &unknown) && s.away(ctx, to, unknown.Left):
		return away
	case errors.Is(err, triggers.ErrNotFound):
		return errNoHook
	case errors.Is(err, webhook.ErrSignature):
		return &Error{Status: http.StatusUnauthorized, Code: codeBadSignature, Detail: webhook.ErrSignature.Error()}
	case errors.Is(err, webhook.ErrExpired):
		return &Error{Status: http.StatusUnauthorized, Code: codeSignatureExpired, Detail: webhook.ErrExpired.Error()}
	case errors.As(err, &rate):
		return &Error{Status: http.StatusTooManyRequests, Code: codeRateLimited, Detail: rate.Error(), RetryAfter: rate.After}
	case errors.Is(err, webhook.ErrAway):
		return away
	}
	return err
}

// away tells whether a path that led nowhere leads to a trigger that takes no deliveries
// only now: it is being edited or started, or is failing. left is the one that was there
// a moment ago.
func (s *Server) away(ctx context.Context, to, left string) bool {
	if left != "" {
		if t, err := s.o.Store.Trigger(ctx, left); err == nil && webhook.Leads(to, t.ID, t.Name, t.Spec) {
			return true
		}
	}
	leads, err := s.o.Triggers.Behind(ctx, webhook.DoorsAt(to), func(id, name string, spec json.RawMessage) bool {
		return webhook.Leads(to, id, name, spec)
	})
	return leads || err != nil // it does not run any more
}

// shownURI is a path for the log: that of a hook may be its secret, also where it is
// written in a way that leads nowhere.
func shownURI(uri string) string {
	plain, err := url.PathUnescape(uri)
	if err != nil || strings.Contains(plain, "/hooks/") {
		return hooks + triggers.Masked
	}
	return uri
}
