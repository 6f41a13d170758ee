package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/rs/zerolog"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/chain"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/timer"
	"github.com/latticed/latticed/triggers/webhook"
)

// house is a daemon in small: the real rooms over a socket, and an executor that does
// what the test says.
type house struct {
	t      *testing.T
	store  *store.Store
	server *Server
	actor  *actor
	stuck  *stuck
	log    *lockedBuffer
	client *http.Client
	router routers.Router
	dir    string // of the state
	socket string
	door   *Door // over TCP

	stopServing func()
}

func newHouse(t *testing.T) *house {
	t.Helper()
	return newHouseWith(t, DoorOptions{}, nil)
}

// newHouseWith makes a house with a door of another kind, and other options.
func newHouseWith(t *testing.T, door DoorOptions, change func(*Options)) *house {
	t.Helper()
	h := &house{t: t, actor: newActor(t), stuck: newStuck(), log: &lockedBuffer{}}
	log := zerolog.New(h.log).Level(zerolog.InfoLevel)
	var err error
	h.dir = t.TempDir()
	if h.store, err = store.Open(t.Context(), filepath.Join(h.dir, "state"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	execs := map[string]executors.Executor{"local": h.actor}
	var manager *triggers.Manager
	d := dispatcher.New(h.store, execs, dispatcher.Options{Ended: func(g graph.Dispatch) { manager.DispatchEnded(g.TriggerID) }})
	hub := webhook.New(func(ctx context.Context, f webhook.File) (string, error) {
		if f.Known {
			return "", h.store.ForgetUpload(ctx, f.SHA256, f.Owner)
		}
		return h.store.Receive(ctx, store.Arrival{Trigger: f.Trigger, Rel: f.Rel, SHA256: f.SHA256, Size: f.Size, Owner: f.Owner})
	})
	kinds := triggers.Kinds{
		"directory": directory.Kind(directory.Options{}), "time": timer.Kind, webhook.Name: hub.Kind, chain.Name: chain.Kind,
		"stuck": h.stuck.kind, "still": stillKind,
	}
	manager = triggers.NewManager(d.Ledger(h.store), kinds, triggers.Options{RunAs: "nobody", Doors: webhook.Doors})
	o := Options{
		Store: h.store, Dispatcher: d, Triggers: manager, Executors: execs, Hooks: hub,
		RunAs: "nobody", Version: "test", Log: log, Alive: d.Beat,
	}
	if change != nil {
		change(&o)
	}
	h.server = New(o)
	h.socket = filepath.Join(shortDir(t), "s")
	ln, err := Listen(h.socket, "")
	if err != nil {
		t.Fatal(err)
	}
	door.Log = log
	if h.door, err = ListenTCP(t.Context(), "127.0.0.1:0", door); err != nil {
		t.Fatal(err)
	}
	stopDispatcher := begin(t, d.Run)
	stopTriggers := begin(t, manager.Run)
	h.stopServing = begin(t, func(ctx context.Context) error { return h.server.Serve(ctx, ln, h.door) })
	var dialer net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", h.socket)
	}}
	h.client = &http.Client{Transport: transport}
	h.router = specRouter(t)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		h.stopServing()
		stopTriggers()
		stopDispatcher()
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// begin runs a room; the function stops it and waits.
func begin(t *testing.T, run func(context.Context) error) func() {
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return sync.OnceFunc(func() {
		cancel(executors.ErrDetached)
		if err := <-done; err != nil {
			t.Errorf("a room ended with: %v", err)
		}
	})
}

// shortDir is a folder whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "lt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func specRouter(t *testing.T) routers.Router {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	r, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is what came back, with its body read.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// do sends a request: "GET /v1/…", then headers "Name: value", then at most one body.
func (h *house) do(what string, more ...string) answer {
	h.t.Helper()
	resp := h.open(what, more...)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
	a := answer{h.t, resp.StatusCode, resp.Header, body}
	coverage.refused(a.status, a.body)
	h.checkSpec(resp.Request, a)
	return a
}

// open sends a request and leaves the body to the caller.
func (h *house) open(what string, more ...string) *http.Response {
	h.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://latticed"+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range more {
		name, v, isHeader := strings.Cut(m, ": ")
		if isHeader && !strings.ContainsAny(name, "{\" ") && !strings.Contains(m, "\n") {
			req.Header.Set(name, v)
			continue
		}
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(m)), int64(len(m))
		if req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
	if route, _, err := h.router.FindRoute(req); err == nil {
		coverage.note(route.Operation.OperationID)
	}
	return resp
}

// checkSpec compares an answer with openapi.yaml.
func (h *house) checkSpec(req *http.Request, a answer) {
	h.t.Helper()
	route, params, err := h.router.FindRoute(req)
	if err != nil {
		return // not one of ours: the answer is a problem
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
	out := (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}).SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(h.t.Context(), out); err != nil {
		h.t.Errorf("%s %s: the answer is not what openapi.yaml says: %v\n%s", req.Method, req.URL, err, a.body)
	}
}

// want fails unless the answer has the status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func decodeAs[T any](a answer) T {
	a.t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// field reads a value out of a JSON object: "a.b.0.c".
func (a answer) field(path string) any {
	a.t.Helper()
	v := decodeAs[any](a)
	for _, key := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i := 0
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(x) {
				a.t.Fatalf("no %s in %s", path, a.body)
			}
			v = x[i]
		default:
			a.t.Fatalf("no %s in %s", path, a.body)
		}
	}
	return v
}

func (a answer) text(path string) string {
	a.t.Helper()
	s, _ := a.field(path).(string)
	return s
}

// dispatch runs an inline lattice and returns its id.
func (h *house) dispatch(lattice string, more ...string) string {
	h.t.Helper()
	body := fmt.Sprintf(`{"lattice": %s%s}`, lattice, strings.Join(more, ""))
	return h.do("POST /v1/dispatches", body).want(201).text("id")
}

// ended waits for the end of a dispatch.
func (h *house) ended(id string) answer {
	h.t.Helper()
	return h.do("GET /v1/dispatches/" + id + "?wait=30s").want(200)
}

// one is a lattice of one electron, work, that runs the words given.
func one(words ...string) string {
	argv, err := json.Marshal(words)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"lattice": "one", "electrons": {"work": {"run": %s}}}`, argv)
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// soon repeats a question until it is answered with yes.
func soon(t *testing.T, what string, yes func() bool) {
	t.Helper()
	limit := time.Now().Add(60 * time.Second)
	for !yes() {
		if time.Now().After(limit) {
			t.Fatalf("never %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
