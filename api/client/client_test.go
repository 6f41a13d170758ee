package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
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
	socket := shortPath(t)
	serveAt(t, socket, f)
	c := New(socket)
	t.Cleanup(c.Close)
	return c
}

// shortPath is one for a socket.
func shortPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "lt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
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
		"by_somebody_else": {`<html>proxy</html>`, "SERVER answers 422 Unprocessable Entity, and not as the daemon does; is a proxy in between?"},
	} {
		c := peer(t, func(rw http.ResponseWriter, _ *http.Request) { problem(rw, 422, w.body) })
		_, err := c.Whoami(t.Context())
		var no *Refused
		if !errors.As(err, &no) || err.Error() != strings.Replace(w.want, "SERVER", c.server, 1) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	c := New("/nowhere/s")
	_, err := c.Whoami(t.Context())
	var away *Unreachable
	if !errors.As(err, &away) || away.Server != "/nowhere/s" || !errors.Is(err, fs.ErrNotExist) {
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

// A daemon that is being started again isn't there for longer than the pause between two tries.
func TestPost_is_repeated_with_its_key_until_the_daemon_is_back(t *testing.T) {
	var mu sync.Mutex
	var keys []string
	ended := make(chan struct{})
	hear := func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.Header.Get("Idempotency-Key"))
	}
	socket := shortPath(t)
	stop := serveAt(t, socket, func(_ http.ResponseWriter, r *http.Request) {
		hear(r)
		_, _ = io.Copy(io.Discard, r.Body)
		close(ended)
		<-r.Context().Done() // it dies before it can answer
	})
	back := make(chan struct{})
	go func() {
		defer close(back)
		<-ended
		stop()
		time.Sleep(5 * repeatPause)
		serveAt(t, socket, func(w http.ResponseWriter, r *http.Request) { hear(r); _, _ = io.WriteString(w, `{"id":"x"}`) })
	}()
	c := New(socket)
	defer c.Close()
	a, err := c.CreateDispatch(t.Context(), NewDispatch{})
	<-back
	if err != nil || a.Value.ID != "x" || len(keys) != 2 || keys[0] != keys[1] {
		t.Errorf("%+v %v %v", a.Value, err, keys)
	}
}

func TestPost_is_repeated_with_its_key_when_its_answer_breaks_off(t *testing.T) {
	for name, first := range map[string]http.HandlerFunc{
		"in_the_middle": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"id":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"and_it_is_stopping": func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 503, `{"code":"stopping","detail":"bye"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var keys [2]string
			var asked atomic.Int32
			c := peer(t, func(w http.ResponseWriter, r *http.Request) {
				n := asked.Add(1)
				keys[n-1] = r.Header.Get("Idempotency-Key")
				if n == 1 {
					first(w, r)
					return
				}
				_, _ = io.WriteString(w, `{"id":"x"}`)
			})
			a, err := c.CreateDispatch(t.Context(), NewDispatch{})
			if err != nil || a.Value.ID != "x" || asked.Load() != 2 || keys[0] != keys[1] {
				t.Errorf("%+v %v after %d requests with %q", a.Value, err, asked.Load(), keys)
			}
		})
	}
}

func TestPost_without_a_key_is_not_repeated(t *testing.T) {
	var asked atomic.Int32
	c := peer(t, func(http.ResponseWriter, *http.Request) { asked.Add(1); panic(http.ErrAbortHandler) })
	var away *Unreachable
	if _, err := c.StartDispatch(t.Context(), "7"); !errors.As(err, &away) || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
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

// talker is a daemon that has an electron with attempts, and loses connections.
type talker struct {
	mu       sync.Mutex
	asked    []string // queries of the log
	attempts []string // what each wrote
	ended    bool
	breaks   int // answers that break off in the middle
}

func (d *talker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/stdout") {
		e := Electron{Name: "work", Status: "pending"}
		for i := range d.attempts {
			e.Attempts = append(e.Attempts, Attempt{N: i + 1})
		}
		if d.ended {
			e.Status = "failed"
		}
		_ = json.NewEncoder(w).Encode(e)
		return
	}
	q := r.URL.Query()
	d.asked = append(d.asked, q.Encode())
	n, _ := strconv.Atoi(q.Get("attempt"))
	text, from := d.attempts[n-1], 0
	if q.Has("from") {
		from, _ = strconv.Atoi(q.Get("from"))
	} else if q.Get("tail") == "1" {
		from = strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n") + 1
	}
	w.Header().Set("Latticed-Attempt", strconv.Itoa(n))
	w.Header().Set("Latticed-Offset", strconv.Itoa(from))
	if text = text[from:]; d.breaks > 0 {
		d.breaks--
		_, _ = io.WriteString(w, text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, text)
	if n == len(d.attempts) {
		d.ended = true
	}
}

func TestFollowLog(t *testing.T) {
	for name, c := range map[string]struct {
		daemon        *talker
		attempt, tail string
		want          string
		asked         string
	}{
		"to_the_end":         {&talker{attempts: []string{"one\ntwo\n"}}, "", "", "one\ntwo\n", "attempt=1&follow=1"},
		"over_a_restart":     {&talker{attempts: []string{"one\ntwo\n"}, breaks: 2}, "", "", "one\ntwo\n", "attempt=1&follow=1 attempt=1&follow=1&from=4 attempt=1&follow=1&from=6"},
		"the_last_lines":     {&talker{attempts: []string{"one\ntwo\n"}, breaks: 1}, "", "1", "two\n", "attempt=1&follow=1&tail=1 attempt=1&follow=1&from=6"},
		"from_the_last_one":  {&talker{attempts: []string{"one\n", "two\n"}}, "", "", "two\n", "attempt=2&follow=1"},
		"one_attempt":        {&talker{attempts: []string{"one\n", "two\n"}, breaks: 1}, "1", "", "one\n", "attempt=1&follow=1 attempt=1&follow=1&from=2"},
		"that_never_started": {&talker{ended: true}, "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			err := peer(t, c.daemon.ServeHTTP).FollowLog(t.Context(), "7", "work", "stdout", c.attempt, c.tail, &got)
			if asked := strings.Join(c.daemon.asked, " "); err != nil || got.String() != c.want || asked != c.asked {
				t.Errorf("%q %v, asked %s", got.String(), err, asked)
			}
		})
	}
	t.Run("into_a_retry", func(t *testing.T) {
		d := &talker{attempts: []string{"one\n"}}
		var got strings.Builder
		c := peer(t, func(w http.ResponseWriter, r *http.Request) {
			d.ServeHTTP(w, r)
			d.mu.Lock()
			defer d.mu.Unlock()
			if len(d.asked) == 1 && len(d.attempts) == 1 {
				d.attempts, d.ended = append(d.attempts, "two\n"), false
			}
		})
		if err := c.FollowLog(t.Context(), "7", "work", "stdout", "", "", &got); err != nil || got.String() != "one\ntwo\n" {
			t.Errorf("%q %v", got.String(), err)
		}
	})
	t.Run("says_why_it_can_not_be_written", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		w.Close()
		c := peer(t, (&talker{attempts: []string{"one\n"}}).ServeHTTP)
		if err := c.FollowLog(t.Context(), "7", "work", "stdout", "", "", w); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
	t.Run("ends_when_it_is_told_to", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := peer(t, func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(Electron{Status: "pending"})
			cancel(errors.New("enough"))
		})
		if err := c.FollowLog(ctx, "7", "work", "stdout", "", "", io.Discard); err == nil || err.Error() != "enough" {
			t.Errorf("%v", err)
		}
	})
	t.Run("refusals_are_not_waited_for", func(t *testing.T) {
		c := peer(t, func(w http.ResponseWriter, _ *http.Request) { problem(w, 404, `{"code":"not_found","detail":"none"}`) })
		if err := c.FollowLog(t.Context(), "7", "work", "stdout", "", "", io.Discard); err == nil || err.Error() != "none" {
			t.Errorf("%v", err)
		}
	})
}

func TestEvery_method_asks_for_its_route(t *testing.T) {
	var got string
	c := peer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.RequestURI() + " " + string(body)
		if r.Header.Get("Idempotency-Key") != "" {
			got += " once"
		}
		_, _ = io.WriteString(w, `{}`)
	})
	ctx, q := t.Context(), url.Values{"limit": {"3"}}
	closed := func(r io.ReadCloser, err error) {
		if err == nil {
			r.Close()
		}
	}
	for want, ask := range map[string]func(){
		"GET /v1/whoami ":                                       func() { _, _ = c.Whoami(ctx) },
		"GET /v1/executors ":                                    func() { _, _ = c.Executors(ctx) },
		"POST /v1/executors/a%20b/check ":                       func() { _, _ = c.CheckExecutor(ctx, "a b") },
		"POST /v1/assets bytes":                                 func() { _, _ = c.PutAsset(ctx, strings.NewReader("bytes")) },
		`POST /v1/lattices {"a":1} once`:                        func() { _, _ = c.StoreLattice(ctx, []byte(`{"a":1}`)) },
		"GET /v1/lattices?limit=3 ":                             func() { _, _ = c.Lattices(ctx, q) },
		"GET /v1/lattices/x ":                                   func() { _, _ = c.Lattice(ctx, "x") },
		"GET /v1/lattices/x/include?path=a%2Fb ":                func() { closed(c.Include(ctx, "x", "a/b")) },
		`POST /v1/dispatches {"lattice":"x"} once`:              func() { _, _ = c.CreateDispatch(ctx, NewDispatch{Lattice: json.RawMessage(`"x"`)}) },
		"GET /v1/dispatches?limit=3 ":                           func() { _, _ = c.Dispatches(ctx, q) },
		"GET /v1/dispatches/7?wait=2s ":                         func() { _, _ = c.Dispatch(ctx, "7", 2*time.Second) },
		`PATCH /v1/dispatches/7 {"note":"x"}`:                   func() { _, _ = c.PatchDispatch(ctx, "7", DispatchPatch{Note: json.RawMessage(`"x"`)}) },
		`POST /v1/dispatches/7/redispatch {"unset":["n"]} once`: func() { _, _ = c.Redispatch(ctx, "7", NewRedispatch{Unset: []string{"n"}}) },
		"POST /v1/dispatches/7/start ":                          func() { _, _ = c.StartDispatch(ctx, "7") },
		"POST /v1/dispatches/7/cancel ":                         func() { _, _ = c.CancelDispatch(ctx, "7") },
		"GET /v1/dispatches/7/electrons?limit=3 ":               func() { _, _ = c.Electrons(ctx, "7", q) },
		"GET /v1/dispatches/7/electrons/e ":                     func() { _, _ = c.Electron(ctx, "7", "e") },
		"GET /v1/dispatches/7/electrons/e/stderr?limit=3 ":      func() { closed(c.Log(ctx, "7", "e", "stderr", q)) },
		"GET /v1/dispatches/7/electrons/e/files/f ":             func() { closed(c.File(ctx, "7", "e", "f")) },
		"GET /v1/dispatches/7/electrons/e/result ":              func() { closed(c.ElectronResult(ctx, "7", "e")) },
		`POST /v1/triggers {"name":"t"} once`:                   func() { _, _ = c.CreateTrigger(ctx, json.RawMessage(`{"name":"t"}`)) },
		"GET /v1/triggers?limit=3 ":                             func() { _, _ = c.Triggers(ctx, q) },
		"GET /v1/triggers/t?effective=1 ":                       func() { _, _ = c.Trigger(ctx, "t", true) },
		`PATCH /v1/triggers/t {"when":null}`:                    func() { _, _ = c.PatchTrigger(ctx, "t", json.RawMessage(`{"when":null}`)) },
		"DELETE /v1/triggers/t ":                                func() { _ = c.DeleteTrigger(ctx, "t") },
		"POST /v1/triggers/t/pause ":                            func() { _, _ = c.PauseTrigger(ctx, "t") },
		`POST /v1/triggers/t/resume {"backlog":"fire"}`:         func() { _, _ = c.ResumeTrigger(ctx, "t", "fire") },
		"POST /v1/triggers/t/fire {} once":                      func() { _, _ = c.FireTrigger(ctx, "t", Fire{}) },
		`POST /v1/triggers/t/fire {"event":"e"} once`:           func() { _, _ = c.FireTrigger(ctx, "t", Fire{Event: "e"}) },
		`POST /v1/triggers?dry_run=1 {"name":"t"}`:              func() { _, _ = c.PreviewTrigger(ctx, json.RawMessage(`{"name":"t"}`)) },
		`PUT /v1/triggers/t?dry_run=1 {}`:                       func() { _, _ = c.PreviewPut(ctx, "t", json.RawMessage(`{}`)) },
		`PATCH /v1/triggers/t?dry_run=1 {"when":null}`:          func() { _, _ = c.PreviewPatch(ctx, "t", json.RawMessage(`{"when":null}`)) },
		`PUT /v1/triggers/t {} once`:                            func() { _, _ = c.PutTrigger(ctx, "t", json.RawMessage(`{}`)) },
		"POST /v1/triggers/t/test ":                             func() { _, _ = c.TestTrigger(ctx, "t") },
		`POST /v1/triggers/t/retry {"states":["dead"]} once`:    func() { _, _ = c.RetryEvents(ctx, "t", Retry{States: []string{"dead"}}) },
		`POST /v1/triggers/t/backfill {"path":"/a"} once`:       func() { _, _ = c.BackfillTrigger(ctx, "t", Backfill{Path: "/a"}) },
		`POST /v1/triggers/t/backfill {"dry_run":true}`:         func() { _, _ = c.BackfillTrigger(ctx, "t", Backfill{DryRun: true}) },
		"GET /v1/explain?path=%2Fa+b ":                          func() { _, _ = c.ExplainPath(ctx, "/a b", "", 0, "") },
		"GET /v1/explain?after=x&limit=5&path=%2Fa&trigger=t ":  func() { _, _ = c.ExplainPath(ctx, "/a", "t", 5, "x") },
		"GET /v1/explain?dispatch=7 ":                           func() { _, _ = c.ExplainDispatch(ctx, "7") },
		"GET /v1/triggers/t/events?limit=3 ":                    func() { _, _ = c.TriggerEvents(ctx, "t", q) },
		"GET /v1/triggers/t/firings?limit=3 ":                   func() { _, _ = c.TriggerFirings(ctx, "t", q) },
		"GET /v1/triggers/t/hook ":                              func() { _, _ = c.TriggerHook(ctx, "t") },
		`POST /v1/dispatches/7/redispatch?dry_run=1 {}`:         func() { _, _ = c.PlanRedispatch(ctx, "7", NewRedispatch{}) },
		`POST /v1/dispatches/7/cancel {"electrons":["e"]}`:      func() { _, _ = c.CancelDispatch(ctx, "7", "e") },
		`POST /v1/sweeps {} once`:                               func() { _, _ = c.CreateSweep(ctx, NewSweep{}, false) },
		`POST /v1/sweeps?dry_run=1 {}`:                          func() { _, _ = c.CreateSweep(ctx, NewSweep{}, true) },
		`POST /v1/bulk/cancel {"where":{}} once`:                func() { _, _ = c.BulkCancel(ctx, BulkCancel{}) },
		`POST /v1/bulk/redispatch {"where":{},"dry_run":true}`:  func() { _, _ = c.BulkRedispatch(ctx, BulkRedispatch{DryRun: true}) },
		"POST /v1/hooks/h {} once":                              func() { _, _ = c.Deliver(ctx, "h", "id", []byte("{}")) },
		"GET /v1/doctor ":                                       func() { _, _ = c.Doctor(ctx) },
		"POST /v1/prune {}":                                     func() { _, _ = c.Prune(ctx, Prune{}) },
		"GET /v1/backup ":                                       func() { closed(c.Backup(ctx)) },
		"GET /v1/hold?after=x&limit=2 ":                         func() { _, _ = c.Hold(ctx, 2, "x") },
		"DELETE /v1/hold ":                                      func() { _ = c.EndHold(ctx) },
		"GET /v1/tokens?limit=3 ":                               func() { _, _ = c.Tokens(ctx, q) },
		"DELETE /v1/tokens/a%2Fb ":                              func() { _ = c.RevokeToken(ctx, "a/b") },
		"GET /v1/audit?limit=3 ":                                func() { _, _ = c.Audit(ctx, q) },
		"GET /v1/assets/ab ":                                    func() { _, _ = c.Upload(ctx, "ab") },
		"POST /v1/assets?offset=2&sha256=ab&size=5 xyz":         func() { _, _ = c.PutPiece(ctx, "ab", 5, 2, []byte("xyz")) },
	} {
		got = ""
		if ask(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A page at a time, until somebody has enough.
func TestEachDispatch_reads_every_page(t *testing.T) {
	var asked []string
	c := peer(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("after"))
		switch r.URL.Query().Get("after") {
		case "":
			_, _ = io.WriteString(w, `{"items":[{"id":"a"},{"id":"b"}],"next":"2"}`)
		case "2":
			_, _ = io.WriteString(w, `{"items":[{"id":"c"}],"next":"3"}`)
		default:
			_, _ = io.WriteString(w, `{"items":[]}`)
		}
	})
	for enough, want := range map[string]string{"": "abc ,2,3", "b": "ab ", "c": "abc ,2"} {
		asked = nil
		got := ""
		err := c.EachDispatch(t.Context(), url.Values{"label": {"x"}}, func(d Dispatch) bool { got += d.ID; return d.ID != enough })
		if got += " " + strings.Join(asked, ","); err != nil || got != want {
			t.Errorf("until %q: %q %v", enough, got, err)
		}
	}
}

func TestWaitAll(t *testing.T) {
	t.Run("ends_when_none_goes_on_and_says_how_many_do", func(t *testing.T) {
		var mu sync.Mutex
		left := []string{"a", "b"}
		c := peer(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Path != "/v1/dispatches" {
				left = left[1:]
				_, _ = io.WriteString(w, `{"status":"completed"}`)
				return
			}
			if q := r.URL.Query(); strings.Join(q["status"], " ") != "new pending running" || q.Get("label") != "x" || q.Get("order") != "oldest" {
				t.Errorf("it asks for %s", q.Encode())
			}
			var p DispatchPage
			for _, id := range left {
				p.Items = append(p.Items, Dispatch{ID: id})
			}
			_ = json.NewEncoder(w).Encode(p)
		})
		var told []int
		if err := c.WaitAll(t.Context(), url.Values{"label": {"x"}}, func(n int) { told = append(told, n) }); err != nil || len(left) > 0 {
			t.Errorf("%v, left %v", err, left)
		}
		if len(told) != 1 || told[0] != 2 { // and not again within a second
			t.Errorf("it told %v", told)
		}
		if err := c.WaitAll(t.Context(), url.Values{"label": {"x"}}, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("goes_on_over_a_restart_and_ends_with_a_refusal", func(t *testing.T) {
		var asked atomic.Int32
		c := peer(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			problem(w, 400, `{"code":"invalid","detail":"no"}`)
		})
		if err := c.WaitAll(t.Context(), url.Values{}, nil); err == nil || err.Error() != "no" || asked.Load() != 2 {
			t.Errorf("%v after %d requests", err, asked.Load())
		}
	})
}

// The answer to the last part may be the asset itself, which has no received.
func TestPutPiece_tells_when_the_whole_is_there(t *testing.T) {
	for name, c := range map[string]struct {
		answer   string
		offset   int64
		received int64
		complete bool
	}{
		"a_part":            {`{"received":3}`, 0, 3, false},
		"the_last_one":      {`{"sha256":"ab","size":5}`, 2, 5, true},
		"it_was_there":      {`{"received":5,"complete":true}`, 0, 5, true},
		"nothing_of_a_part": {`{}`, 1, 0, false},
	} {
		a, err := peer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.answer) }).PutPiece(t.Context(), "ab", 5, c.offset, []byte("xyz"))
		if err != nil || a.Value.Received != c.received || a.Value.Complete != c.complete {
			t.Errorf("%s: %+v %v", name, a.Value, err)
		}
	}
}
