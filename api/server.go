package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// Options says what a Server stands before.
type Options struct {
	Store      *store.Store
	Dispatcher *dispatcher.Dispatcher
	Triggers   *triggers.Manager
	Executors  map[string]executors.Executor

	RunAs   string // the Unix user whose electrons run
	Version string
	Log     zerolog.Logger // default: silent

	// Alive says why a loop of the daemon has stopped turning; nil: always fine.
	Alive func(context.Context) error
	// Heartbeat is how often a stream of events shows that it lives; default 15 s.
	Heartbeat time.Duration
	// Metrics are collected beside those of HTTP, Go and the process.
	Metrics []prometheus.Collector
}

// Server answers HTTP requests. Make it with New.
type Server struct {
	o       Options
	log     zerolog.Logger
	echo    *echo.Echo
	metrics *metrics
	spec    func() ([]byte, error)
	limits  limits
	turns   turns // of requests with an idempotency key

	stopping chan struct{} // closed when Serve begins to stop
	stop     func()
}

// errStopping ends the requests that wait.
var errStopping = errors.New("the daemon stops; ask again when it is back")

// The limits of a connection; see limits for those of bodies and answers. There is
// none on a request as a whole: followers of logs and events stay as long as they like.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 5 * time.Second
	maxHeader     = 64 << 10
)

// New makes a server of the rooms in o.
func New(o Options) *Server {
	if o.Heartbeat <= 0 {
		o.Heartbeat = heartbeat
	}
	s := &Server{
		o:        o,
		log:      o.Log.With().Str(keyComponent, "api").Logger(),
		echo:     echo.New(),
		metrics:  newMetrics(o.Metrics),
		spec:     sync.OnceValues(specJSON),
		limits:   defaultLimits(),
		stopping: make(chan struct{}),
	}
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.Binder = binder{}
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = echo.ExtractIPDirect()
	e.Logger.SetOutput(io.Discard)
	e.Use(s.observe, s.recoverPanic)
	RegisterHandlersWithOptions(e, NewStrictHandler(s, nil), RegisterHandlersOptions{OperationMiddlewares: s.checks()})
	return s
}

// checks are the middlewares of each operation: its query, then its body.
func (s *Server) checks() map[string][]echo.MiddlewareFunc {
	all := map[string][]echo.MiddlewareFunc{}
	for name, op := range operations() {
		all[name] = []echo.MiddlewareFunc{op.queryOnly, s.readBody(op)}
	}
	return all
}

func (op operation) queryOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := op.checkQuery(c.QueryParams()); err != nil {
			return err
		}
		ctx := context.WithValue(c.Request().Context(), requestKey{}, &requestInfo{request: c.Request(), route: c.Path()})
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve answers requests at ln until ctx ends, then lets those under way finish for
// a moment. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withPeer,
		ErrorLog:          quiet(s.log),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		s.stop()
		return errors.Join(err, srv.Close())
	case <-ctx.Done():
	}
	s.stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// Routes lists the routes as METHOD PATH, sorted.
func (s *Server) Routes() []string {
	var out []string
	for _, r := range s.echo.Routes() {
		out = append(out, r.Method+" "+r.Path)
	}
	slices.Sort(out)
	return out
}
