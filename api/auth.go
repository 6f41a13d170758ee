package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
)

// authenticate finds out who sent a request, before anything else of it is looked at.
// Over TCP strangers get no further than to the routes for everybody.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body != http.NoBody { // a refusal doesn't read it; net/http then would, for as long as it takes
			_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(s.limits.refused))
		}
		if err := s.admit(c); err != nil {
			return err
		}
		ctx, done, err := s.identify(r, forEverybody(c.Path()))
		if err != nil {
			return err
		}
		defer done()
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// admit looks at where a request comes from.
func (s *Server) admit(c echo.Context) error {
	r := c.Request()
	if door := doorOf(r.Context()); door != nil && !s.hosts.known(r, door) {
		return &Error{Status: http.StatusForbidden, Code: codeWrongHost, Detail: fmt.Sprintf(
			"%.100q is not a name of this daemon; if it is one, add it to [http] hosts in the configuration", r.Host)}
	}
	if err := s.origins.Check(r); err != nil {
		return &Error{Status: http.StatusForbidden, Code: codeCrossOrigin, Detail: "a page of another site may not change anything here"}
	}
	return nil
}

// forEverybody tells whether a route is open to strangers.
func forEverybody(route string) bool {
	return route == "/healthz" || route == "/readyz" || route == hookRoute
}

// hookRoute is where other programs deliver, each with headers of its own.
const hookRoute = "/v1/hooks/:secret"

// errHandled ends the context of a request whose handler has returned: nobody went away.
var errHandled = errors.New("the request is handled")

// identify returns the context of a request with its principal. It ends with the
// token; done lets go of it.
func (s *Server) identify(r *http.Request, open bool) (_ context.Context, done func(), err error) {
	ctx := r.Context()
	given, err := readAuthorization(r.Header)
	if err == nil && given.unknown && !open {
		err = doubt("the header Authorization holds no token of this daemon: send Authorization: Bearer ltd_…")
	}
	if err != nil && open { // not meant for us, but perhaps for the hook
		given, err = shown{}, nil
	}
	var k *key
	switch {
	case err != nil:
	case given.signed != nil:
		ctx, k, err = s.signer(ctx, r, given.signed)
	case given.token != "":
		k, err = s.bearer(ctx, given.token)
	default:
		return ctx, func() {}, stranger(ctx, open)
	}
	if err != nil {
		return nil, nil, s.refused(r, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(k.ctx, func() { cancel(context.Cause(k.ctx)) })
	done = func() { stop(); cancel(errHandled) }
	via := viaUnix
	if door := doorOf(ctx); door != nil {
		via = door.via()
	}
	return withPrincipal(ctx, Principal{Name: "token:" + k.Name, Via: via, Role: k.Role, Token: k.ID, Trigger: k.Trigger}), done, nil
}

// stranger is who shows nothing: on the socket the kernel knows them.
func stranger(ctx context.Context, open bool) error {
	if doorOf(ctx) == nil || open {
		return nil
	}
	return errStranger
}

func (s *Server) bearer(ctx context.Context, text string) (*key, error) {
	id, _ := idOfToken(text)
	k, err := s.keys.find(ctx, id, has(text))
	if err == nil && k == nil {
		err = doubt("the token is not known here")
	}
	return k, err
}

func (s *Server) signer(ctx context.Context, r *http.Request, sig *signature) (context.Context, *key, error) {
	sum := r.Header.Get(headerBodySum)
	if sum == "" {
		sum = emptySum
	}
	k, err := s.keys.find(ctx, sig.id, sig.matches(signedText(r, sig, sum)))
	switch {
	case err != nil:
		return ctx, nil, err
	case k == nil:
		return ctx, nil, doubt("the signature is not right, or its token not known here")
	case k.Role != RoleSource:
		return ctx, nil, &Error{Status: http.StatusUnauthorized, Code: codeUnauthenticated, Detail: "only tokens of role source sign their requests; send this one as Authorization: Bearer TOKEN"}
	}
	if err := s.replays.take(ctx, sig, time.Now()); err != nil {
		return ctx, nil, err
	}
	return context.WithValue(ctx, bodySumKey{}, sum), k, nil
}

// refused counts and logs what was not believed.
func (s *Server) refused(r *http.Request, err error) error {
	var no *Error
	if !errors.As(err, &no) || no.Code != codeUnauthenticated {
		return err
	}
	addr := remoteAddr(r)
	n, wait := s.failures.add(addr, time.Now())
	if loud(n) {
		s.log.Warn().Str(keyRemote, addr.String()).Int("failures", n).Str(keyRoute, r.Method+" "+shownURI(r.URL.Path)).Str("reason", no.Detail).Msg("refused")
	}
	if wait > 0 {
		return slowed(wait)
	}
	return err
}

// remoteAddr is the address of the other end; the zero one on the socket.
func remoteAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr
}

// permit refuses who has too small a role.
func (op operation) permit(next echo.HandlerFunc) echo.HandlerFunc {
	need := accesses()[op.name]
	return func(c echo.Context) error {
		if need.least == "" {
			return next(c)
		}
		who, err := principalOf(c.Request().Context())
		if err != nil {
			return err
		}
		if !need.allows(who.Role) {
			return &Error{Status: http.StatusForbidden, Code: codeForbidden, Detail: fmt.Sprintf("this asks for role %s; %s has role %s", need.least, who.Name, who.Role)}
		}
		return next(c)
	}
}
