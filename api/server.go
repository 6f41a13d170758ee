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
	"github.com/latticed/latticed/triggers/webhook"
)

// Options says what a Server stands before.
type Options struct {
	Store      *store.Store
	Dispatcher *dispatcher.Dispatcher
	Triggers   *triggers.Manager
	Executors  map[string]executors.Executor
	Hooks      *webhook.Hub // nil: there are none

	RunAs   string // the Unix user whose electrons run
	Version string
	Log     zerolog.Logger // default: silent

	// Alive says why a loop of the daemon has stopped turning; nil: always fine.
	Alive func(context.Context) error
	// Hosts are names of this machine besides those it knows, for requests over TCP.
	Hosts []string
	// MaxConnections is how many there may be over TCP; default 512.
	MaxConnections int
	// Heartbeat is how often a stream of events shows that it lives; default 15 s.
	Heartbeat time.Duration
	// LowDisk tells that little space is left, so that uploads are refused; nil: never.
	LowDisk func() bool
	// Retention is how much history is kept, as it is configured now; nil: all of it.
	Retention func() store.Retention
	// Doctor looks at what the daemon lives on; nil: nobody looks.
	Doctor func(context.Context) []Check
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

	keys     *keyring
	replays  *replays
	failures *failures
	hosts    *hosts
	origins  *http.CrossOriginProtection
	crowd    *crowd

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

	defaultConnections = 512
)

// New makes a server of the rooms in o.
func New(o Options) *Server {
	if o.Heartbeat <= 0 {
		o.Heartbeat = heartbeat
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = defaultConnections
	}
	s := &Server{
		o:        o,
		log:      o.Log.With().Str(keyComponent, "api").Logger(),
		echo:     echo.New(),
		spec:     sync.OnceValues(specJSON),
		limits:   defaultLimits(),
		keys:     newKeyring(o.Store),
		replays:  newReplays(time.Now(), o.Store),
		failures: newFailures(),
		hosts:    newHosts(o.Hosts),
		origins:  http.NewCrossOriginProtection(),
		crowd:    newCrowd(o.MaxConnections),
		stopping: make(chan struct{}),
	}
	s.metrics = newMetrics(append(slices.Clone(o.Metrics), s.doorMetrics()...))
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.Binder = binder{}
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = echo.ExtractIPDirect()
	e.Logger.SetOutput(io.Discard)
	e.Use(s.observe, s.recoverPanic, s.authenticate)
	RegisterHandlersWithOptions(e, NewStrictHandler(s, nil), RegisterHandlersOptions{OperationMiddlewares: s.checks()})
	return s
}

// SetHosts replaces the names of Options.Hosts.
func (s *Server) SetHosts(names []string) { s.hosts.set(names) }

// checks are the middlewares of each operation: its role, its query, its body, and who
// is going to have made the change.
func (s *Server) checks() map[string][]echo.MiddlewareFunc {
	all := map[string][]echo.MiddlewareFunc{}
	for name, op := range operations() {
		all[name] = []echo.MiddlewareFunc{op.permit, op.queryOnly, s.readBody(op), s.audit(op)}
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

// Serve answers requests at the socket ln and at doors over TCP until ctx ends, then
// lets those under way finish for a moment. It closes them all.
func (s *Server) Serve(ctx context.Context, ln net.Listener, doors ...*Door) error {
	noting, rest := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	beside.Go(func() { s.keys.run(noting, s.unnoted) })
	defer beside.Wait()
	defer rest()

	served := make(chan error, 1+len(doors))
	var servers []*http.Server
	serve := func(srv *http.Server, at net.Listener) {
		servers = append(servers, srv)
		go func() { served <- srv.Serve(at) }()
	}
	serve(s.server(nil), ln)
	for _, d := range doors {
		serve(s.server(d), d.secured(&gate{d.Listener, s.crowd}))
	}
	var err error
	left := len(servers)
	select {
	case err = <-served: // nobody told it to
		left--
	case <-ctx.Done():
	}
	s.stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err != nil {
		cancel() // what is broken is not waited for
	}
	for _, srv := range servers {
		if e := srv.Shutdown(drain); e != nil {
			err = errors.Join(err, srv.Close())
		}
	}
	for range left {
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// server is what answers at one door; nil is the socket.
func (s *Server) server(d *Door) *http.Server {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          quiet(s.log),
	}
	if d == nil {
		srv.ConnContext = withPeer
		return srv
	}
	srv.BaseContext = func(net.Listener) context.Context { return context.WithValue(context.Background(), doorKey{}, d) }
	srv.ConnState = s.crowd.state
	return srv
}

func (s *Server) unnoted(err error) {
	s.log.Warn().Err(err).Msg("when tokens were last used could not be noted")
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
