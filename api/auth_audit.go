package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/latticed/latticed/store"
)

// audit writes down who changes something: in the transaction of the change, or else
// before the first byte of the answer leaves. What can't be written down is not
// answered.
func (s *Server) audit(op operation) echo.MiddlewareFunc {
	changes := accesses()[op.name].changes
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if changes == 0 {
			return next
		}
		return func(c echo.Context) error {
			who, err := principalOf(c.Request().Context())
			if err != nil || dryRun(c) {
				return next(c)
			}
			r := c.Request()
			entry := store.Audit{Principal: who.Name, Via: who.Via, Action: op.name, Object: s.object(c), Status: changes}
			if doorOf(r.Context()) != nil {
				entry.Remote = r.RemoteAddr
			}
			ctx := store.WithAudit(r.Context(), entry)
			c.SetRequest(r.WithContext(ctx))
			w := c.Response()
			w.Before(func() {
				if err := s.o.Store.Audited(ctx, w.Status, carriedOut(op, w)); err != nil {
					s.log.Error().Err(err).Str(keyRoute, op.name).Str(keyPrincipal, who.Name).Msg("the audit entry could not be stored; the answer is broken off")
					panic(http.ErrAbortHandler)
				}
			})
			return next(c)
		}
	}
}

// carriedOut tells whether an answer means that something was done, also when no
// transaction has said so. A PUT that finds all as it should be, and the answer to a
// repeated key, do nothing.
func carriedOut(op operation, w *echo.Response) bool {
	return w.Status < http.StatusBadRequest && op.name != "PutTrigger" && w.Header().Get("Idempotency-Replayed") == ""
}

// dryRun tells whether a request only asks what would be done.
func dryRun(c echo.Context) bool {
	if dry, err := strconv.ParseBool(c.QueryParam("dry_run")); err == nil && dry {
		return true
	}
	var body struct {
		DryRun bool `json:"dry_run"`
	}
	_ = json.Unmarshal(infoOf(c.Request().Context()).body, &body) // whatever else is wrong the handler finds
	return body.DryRun
}

// object is what a request is about, by the name or number that people use.
func (s *Server) object(c echo.Context) string {
	ctx := c.Request().Context()
	if id := param(c, "id"); id != "" {
		if d, err := s.o.Store.Dispatch(ctx, id); err == nil {
			return strconv.FormatInt(d.Number, 10)
		}
		return id
	}
	if name := param(c, "trigger"); name != "" {
		if t, err := s.o.Store.Trigger(ctx, name); err == nil {
			return t.Name
		}
		return name
	}
	if name := param(c, "token"); name != "" {
		if t, err := s.o.Store.Token(ctx, name); err == nil {
			return t.Name
		}
		return name
	}
	var body struct {
		Name    string          `json:"name"`
		Lattice json.RawMessage `json:"lattice"`
	}
	_ = json.Unmarshal(infoOf(ctx).body, &body)
	if body.Name != "" {
		return body.Name
	}
	var lattice string
	_ = json.Unmarshal(body.Lattice, &lattice)
	return lattice
}

// param is a part of the path as its handler sees it. The router may have left it as it
// was written, and a name can be written in ways that nobody would look for.
func param(c echo.Context, name string) string {
	v := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return v
	}
	if plain, err := url.PathUnescape(v); err == nil {
		return plain
	}
	return v
}
