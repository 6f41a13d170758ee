package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer answers requests on a Unix socket as the test says.
func peer(t *testing.T, f http.HandlerFunc) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "lt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	serveAt(t, socket, f)
	c := New(socket)
	t.Cleanup(c.Close)
	return c
}

// serveAt listens until the test ends or the function is called.
func serveAt(t *testing.T, socket string, f http.HandlerFunc) func() {
	t.Helper()
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	stop := sync.OnceFunc(func() { _ = srv.Close(); <-done })
	t.Cleanup(stop)
	return stop
}

func problem(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestRefused(t *testing.T) {
	for name, w := range map[string]struct{ body, want string }{
		"with_findings":    {`{"code":"invalid","detail":"x","errors":[{"path":"a.b","line":3,"column":7,"message":"no"},{"message":"whole"}]}`, "3:7: a.b: no\nwhole"},
		"with_a_sentence":  {`{"code":"not_found","detail":"there is none"}`, "there is none"},
		"by_somebody_else": {`<html>proxy</html>`, "<html>proxy</html>"},
	} {
		c := peer(t, func(rw http.ResponseWriter, _ *http.Request) { problem(rw, 422, w.body) })
		_, err := c.Whoami(t.Context())
		var no *Refused
		if !errors.As(err, &no) || err.Error() != w.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	c := New("/nowhere/s")
	_, err := c.Whoami(t.Context())
	var away *Unreachable
	if !errors.As(err, &away) || away.Socket != "/nowhere/s" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	began := time.Now()
	if _, err := c.CreateDispatch(t.Context(), NewDispatch{}); !errors.As(err, &away) || time.Since(began) > time.Second {
		t.Errorf("a request that was never sent was repeated: %v after %s", err, time.Since(began))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := c.Whoami(ctx); err == nil || err.Error() != "enough" {
		t.Errorf("%v", err)
	}
}

func TestPost_is_repeated_with_its_key_when_the_answer_is_lost(t *testing.T) {
	var keys []string
	c := peer(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) < 3 {
			panic(http.ErrAbortHandler) // the daemon dies before it can answer
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"x","created_at":null,"inputs":{}}`)
	})
	a, err := c.CreateDispatch(t.Context(), NewDispatch{Lattice: json.RawMessage(`"l"`)})
	if err != nil || a.Value.ID != "x" || len(keys) != 3 || keys[0] == "" || keys[0] != keys[2] {
		t.Errorf("%+v %v %v", a.Value, err, keys)
	}
}

func TestWait_goes_on_over_a_restart(t *testing.T) {
	var asked atomic.Int32
	c := peer(t, func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 1:
			_, _ = io.WriteString(w, `{"status":"running"}`)
		case 2:
			problem(w, 503, `{"code":"stopping","detail":"bye"}`)
		case 3:
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, `{"status":"failed"}`)
		}
	})
	a, err := c.Wait(t.Context(), "7")
	if err != nil || a.Value.Status != "failed" {
		t.Errorf("%+v %v", a.Value, err)
	}
}

func TestPaths_are_escaped(t *testing.T) {
	var got string
	c := peer(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath() + "?" + r.URL.RawQuery
		w.WriteHeader(http.StatusNoContent)
	})
	if err := c.DeleteDispatch(t.Context(), "a/b c?d"); err != nil || got != "/v1/dispatches/a%2Fb%20c%3Fd?" {
		t.Errorf("%s %v", got, err)
	}
}

func TestReadChanges(t *testing.T) {
	stream := "id: 4\nretry: 2000\n\n: 4\n\nevent: dispatch\nid: 5\ndata: {\"a\":1}\n\nevent: reset\nid: 9\ndata: {\n" + "data: }\n\nevent: cut\ndata: off"
	var got []string
	err := readChanges(strings.NewReader(stream), func(c Change) error {
		got = append(got, c.ID+" "+c.Kind+" "+string(c.Data))
		return nil
	})
	if err != nil || strings.Join(got, "|") != `5 dispatch {"a":1}|9 reset {}` {
		t.Errorf("%q %v", got, err)
	}
}

func TestChanges_say_why_they_end(t *testing.T) {
	c := peer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-ID") == "7" {
			_, _ = io.WriteString(w, "event: dispatch\nid: 8\ndata: {}\n\n")
		}
	})
	own := errors.New("mine")
	if err := c.Changes(t.Context(), "7", func(Change) error { return own }); !errors.Is(err, own) {
		t.Errorf("%v", err)
	}
	var away *Unreachable
	if err := c.Changes(t.Context(), "", func(Change) error { return nil }); !errors.As(err, &away) {
		t.Errorf("%v", err)
	}
}

func FuzzReadChanges(f *testing.F) {
	f.Add("id: 1\nevent: x\ndata: {}\n\n")
	f.Add(":\n\n\ndata\n\n")
	f.Fuzz(func(_ *testing.T, s string) {
		_ = readChanges(strings.NewReader(s), func(Change) error { return nil })
	})
}
