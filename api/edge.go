package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"
)

// The keys of log lines, the same in every room.
const (
	keyComponent = "component"
	keyDispatch  = "dispatch"
	keyLattice   = "lattice"
	keyTrigger   = "trigger"
	keyStatus    = "status"
	keyDur       = "dur" // milliseconds
	keyRoute     = "route"
	keyPrincipal = "principal"
	keyRemote    = "remote"
)

const (
	maxBody  = 8 << 20  // of JSON and YAML
	maxAsset = 64 << 30 // of uploads
)

type requestKey struct{}

// requestInfo travels with the context of a request.
type requestInfo struct {
	request *http.Request
	route   string
	body    []byte
}

func infoOf(ctx context.Context) *requestInfo {
	info, _ := ctx.Value(requestKey{}).(*requestInfo)
	if info == nil {
		info = &requestInfo{}
	}
	return info
}

// readBody reads a JSON or YAML body whole, within its limits, and checks its type.
// Uploads are read by their handler.
func (s *Server) readBody(op operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if !op.body && !op.stream && r.Body == http.NoBody {
				if err := checkSum(r.Context(), nil); err != nil {
					return err
				}
				return next(c)
			}
			most, body := int64(maxBody), &steadyBody{rc: http.NewResponseController(c.Response()), limit: s.limits.body, whole: true}
			if op.stream {
				most, body.limit, body.whole = maxAsset, s.limits.chunk, false
			}
			if op.raw {
				most = maxHook
			}
			body.ReadCloser = http.MaxBytesReader(c.Response(), r.Body, most)
			body.begin()
			if op.stream {
				r.Body = body
				if want := signedBody(r.Context()); want != "" {
					r.Body = newSummedBody(body, want)
				}
				return next(c)
			}
			raw, err := io.ReadAll(body)
			if err != nil {
				return err
			}
			if err := checkSum(r.Context(), raw); err != nil {
				return err
			}
			if err := op.checkBody(r.Header, raw); err != nil {
				return err
			}
			infoOf(r.Context()).body = raw
			r.Body = io.NopCloser(bytes.NewReader(raw))
			return next(c)
		}
	}
}

// checkBody refuses what a route doesn't take: it is not to be passed over in silence.
func (op operation) checkBody(h http.Header, raw []byte) error {
	switch text := string(bytes.TrimSpace(raw)); {
	case op.raw:
		return nil
	case !op.body && text != "" && text != "{}":
		return invalid(fieldError("", codeUnknownKey, "this route takes no body"))
	case !op.body:
		return nil
	case len(raw) > 0:
		return op.checkType(h.Get(echo.HeaderContentType))
	case h.Get(echo.HeaderContentType) == "":
		h.Set(echo.HeaderContentType, echo.MIMEApplicationJSON) // so that "empty" is what is said
	}
	return nil
}

func (op operation) checkType(header string) error {
	known := []string{"application/json"}
	switch op.name {
	case "StoreLattice":
		known = append(known, "application/yaml")
	case "PatchDispatch", "PatchTrigger":
		known = append(known, "application/merge-patch+json")
	}
	got, _, err := mime.ParseMediaType(header)
	for _, k := range known {
		if err == nil && got == k {
			return nil
		}
	}
	detail := fmt.Sprintf("the body's Content-Type is %q; send it as %s", header, known[0])
	if len(known) > 1 {
		detail += " or " + known[1]
	}
	return &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Detail: detail}
}

// binder decodes bodies strictly, and nothing but bodies.
type binder struct{}

// Bind implements echo.Binder.
func (binder) Bind(into any, c echo.Context) error {
	body := infoOf(c.Request().Context()).body
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = body // read by whoever knows what it says
		return nil
	}
	if len(body) == 0 && c.Request().Method == http.MethodPost && !bodied(c.Path()) {
		return io.EOF // may be left out
	}
	return strict(body, into)
}

// bodied tells whether a POST says nothing without a body.
func bodied(route string) bool {
	switch route {
	case "/v1/dispatches", "/v1/tokens", "/v1/sweeps", "/v1/bulk/cancel", "/v1/bulk/redispatch":
		return true
	}
	return false
}

// fail answers an error; it is where every error of a request ends.
func (s *Server) fail(err error, c echo.Context) {
	e := judge(err)
	ctx := c.Request().Context()
	gone := ctx.Err() != nil && !errors.Is(context.Cause(ctx), errHandled)
	var ended *Error
	if gone && errors.As(context.Cause(ctx), &ended) { // not the client, but its token
		e, gone = ended, false
	}
	switch {
	case gone:
		s.log.Debug().Err(err).Str(keyRoute, c.Path()).Msg("the client went away")
	case e == nil:
		e = &Error{Status: http.StatusInternalServerError, Code: codeInternal, Detail: "something went wrong here that nobody foresaw; the daemon's log says more"}
		s.log.Error().Err(err).Str(keyRoute, c.Request().Method+" "+shownURI(c.Request().URL.Path)).Msg("request failed")
	case e.Status >= http.StatusInternalServerError && e.Code != codeStopping:
		s.log.Warn().Err(err).Str(keyRoute, c.Request().Method+" "+shownURI(c.Request().URL.Path)).Int(keyStatus, e.Status).Msg("request failed")
	}
	if c.Response().Committed {
		// The answer has begun: all that is left is to break it off, so that the client
		// doesn't take it for whole.
		panic(http.ErrAbortHandler)
	}
	if e == nil {
		e = &Error{Status: 499, Code: "client_gone", Detail: "the client went away"}
	}
	e = s.meantBy(ctx, err, e)
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	sayWhatToDo(c.Response().Header(), e)
	c.Response().WriteHeader(e.Status)
	_ = json.NewEncoder(c.Response()).Encode(e.problem())
}

// sayWhatToDo adds the headers that go with a status.
func sayWhatToDo(h http.Header, e *Error) {
	wait := e.RetryAfter
	if e.Status == http.StatusServiceUnavailable {
		wait = max(wait, time.Second)
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="latticed"`)
	}
}

// changed logs what somebody has changed where no room below has a line for it, or
// doesn't know who it was. Requests as such are debug lines.
func (s *Server) changed(ctx context.Context, what, key, name string) {
	who, _ := principalOf(ctx) // it was known before
	s.log.Info().Str(key, name).Str(keyPrincipal, who.Name).Msg(what)
}

// recoverPanic turns a panic of one request into its failure.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler: // not ours to stop
				panic(p)
			default:
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// observe counts and logs requests.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		w := c.Response().Writer
		c.Response().Writer = &steadyWriter{ResponseWriter: w, rc: http.NewResponseController(w), limit: s.limits.write}
		defer func() { // also when the answer is broken off
			took := time.Since(began)
			s.metrics.seen(c.Request().Method, c.Path(), strconv.Itoa(c.Response().Status), took)
			if ev := s.log.Debug(); ev.Enabled() {
				ev.Str(keyRoute, c.Request().Method+" "+shownURI(c.Request().URL.RequestURI())).Int(keyStatus, c.Response().Status).Dur(keyDur, took).Msg("request")
			}
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// quiet gives net/http's own lines to our log.
func quiet(l zerolog.Logger) *log.Logger {
	return log.New(lines{l}, "", 0)
}

type lines struct{ log zerolog.Logger }

func (l lines) Write(p []byte) (int, error) {
	l.log.Debug().Err(errors.New(string(bytes.TrimSpace(p)))).Msg("connection")
	return len(p), nil
}
