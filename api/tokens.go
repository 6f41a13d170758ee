package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

const keyToken = "token" // the name of one in a log line

// kindOfHooks is the kind of trigger that takes deliveries.
const kindOfHooks = "webhook"

// ListTokens implements StrictServerInterface.
func (s *Server) ListTokens(ctx context.Context, r ListTokensRequestObject) (ListTokensResponseObject, error) {
	if err := s.keys.note(ctx); err != nil { // so that the last use is what it says
		return nil, err
	}
	tokens, next, err := s.o.Store.Tokens(ctx, store.TokenFilter{All: r.Params.All, Limit: limitOf(r.Params.Limit), After: r.Params.After})
	if err != nil {
		return nil, err
	}
	page := ListTokens200JSONResponse{Items: make([]Token, 0, len(tokens)), Next: orNull(next)}
	for _, t := range tokens {
		page.Items = append(page.Items, Token{
			ID: t.ID, Name: t.Name, Role: t.Role, Trigger: orNull(t.TriggerName), Owner: t.Owner, CreatedBy: t.CreatedBy,
			CreatedAt: Micros(t.CreatedAt), ExpiresAt: Micros(t.ExpiresAt), LastUsedAt: Micros(t.LastUsedAt), RevokedAt: Micros(t.RevokedAt),
		})
	}
	return page, nil
}

// CreateToken implements StrictServerInterface. What it answers is kept nowhere.
func (s *Server) CreateToken(ctx context.Context, r CreateTokenRequestObject) (CreateTokenResponseObject, error) {
	who, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	expires, err := s.checkToken(ctx, r.Body, time.Now())
	if err != nil {
		return nil, err
	}
	text, id, err := newTokenText()
	if err != nil {
		return nil, err
	}
	t, err := s.o.Store.InsertToken(ctx, store.Token{
		ID: id, Name: r.Body.Name, Role: r.Body.Role, Trigger: r.Body.Trigger, Hash: hashOfToken(text),
		Owner: who.Name, CreatedBy: who.Name, ExpiresAt: expires,
	})
	if err != nil {
		return nil, err
	}
	s.changed(ctx, "token made", keyToken, t.Name)
	return CreateToken201JSONResponse{
		ID: t.ID, Token: text, Name: t.Name, Role: t.Role, Trigger: orNull(t.TriggerName), ExpiresAt: Micros(t.ExpiresAt),
	}, nil
}

// checkToken lists what is wrong with a token that is asked for, and reads when it
// expires.
func (s *Server) checkToken(ctx context.Context, b *NewToken, now time.Time) (time.Time, error) {
	var found []FieldError
	if !isName(b.Name) {
		found = append(found, fieldError("name", codeWrongValue, "must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit, not %.80q", b.Name))
	}
	roles := []string{RoleViewer, RoleOperator, RoleAdmin, RoleSource}
	if !slices.Contains(roles, b.Role) {
		found = append(found, fieldError("role", codeWrongValue, "there is no role %.80q%s", b.Role, meant(b.Role, roles)))
	}
	switch {
	case b.Role == RoleSource && b.Trigger == "":
		found = append(found, fieldError("trigger", codeMissing, "role source is for one trigger: name it"))
	case b.Role != RoleSource && b.Trigger != "":
		found = append(found, fieldError("trigger", codeWrongValue, "means nothing with role %.80s: only role source is for one trigger", b.Role))
	case b.Trigger != "":
		t, err := s.trigger(ctx, b.Trigger)
		if err != nil {
			return time.Time{}, err
		}
		if t.Kind != kindOfHooks {
			found = append(found, fieldError("trigger", codeWrongValue, "trigger %s is of kind %s; a token delivers to one of kind %s", t.Name, t.Kind, kindOfHooks))
		}
	}
	expires, err := expiry(string(b.Expires), now)
	if err != nil {
		found = append(found, fieldError("expires", codeWrongValue, "%v", err))
	}
	if len(found) > 0 {
		return time.Time{}, invalid(found...)
	}
	return expires, nil
}

// RevokeToken implements StrictServerInterface.
func (s *Server) RevokeToken(ctx context.Context, r RevokeTokenRequestObject) (RevokeTokenResponseObject, error) {
	t, err := s.o.Store.RevokeToken(ctx, r.Token)
	if err != nil {
		return nil, err
	}
	s.keys.drop(t.ID, errRevoked)
	s.changed(ctx, "token revoked", keyToken, t.Name)
	return RevokeToken204Response{}, nil
}

var (
	errPast     = errors.New("must be in the future")
	errNoExpiry = errors.New("must be how long the token lives, such as 90d, or an instant such as 2027-03-01T12:00:00Z")
)

// expiry reads an instant, or how long from now.
func expiry(v string, now time.Time) (time.Time, error) {
	if v = strings.TrimSpace(v); v == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, v); err == nil {
		if !at.After(now) {
			return time.Time{}, errPast
		}
		return at, nil
	}
	d, err := graph.DurationWithUnit(v)
	if unit := (*graph.UnitError)(nil); errors.As(err, &unit) {
		return time.Time{}, unit
	}
	if err != nil || d <= 0 {
		return time.Time{}, errNoExpiry
	}
	return now.Add(d), nil
}
