package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// transport answers requests as the test says.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// losing is a client whose answers are lost so often, each after that long.
func losing(times int, after time.Duration, keys *[]string) *Client {
	return &Client{server: "x", scheme: "http", host: "x", http: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
		if *keys = append(*keys, r.Header.Get("Idempotency-Key")); len(*keys) <= times {
			time.Sleep(after)
			return nil, io.ErrUnexpectedEOF
		}
		return &http.Response{StatusCode: http.StatusCreated, Body: io.NopCloser(strings.NewReader(`{"id":"x"}`))}, nil
	})}}
}

func TestPost_that_took_long_is_repeated_when_its_answer_is_lost_at_the_end(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keys []string
		if _, err := losing(2, 2*repeatFor, &keys).CreateDispatch(t.Context(), NewDispatch{}); err == nil || len(keys) != 2 {
			t.Errorf("the second was too late: %v after %d requests", err, len(keys))
		}
		keys = nil
		a, err := losing(1, 2*repeatFor, &keys).CreateDispatch(t.Context(), NewDispatch{})
		if err != nil || a.Value.ID != "x" || len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
			t.Errorf("%+v %v %v", a.Value, err, keys)
		}
	})
}

func TestPost_is_given_up_when_the_daemon_does_not_come_back(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keys []string
		began := time.Now()
		_, err := losing(1<<20, 0, &keys).CreateDispatch(t.Context(), NewDispatch{})
		var away *Unreachable
		if took := time.Since(began); !errors.As(err, &away) || took < repeatFor || took > repeatFor+2*repeatPause {
			t.Errorf("%v after %s and %d requests", err, took, len(keys))
		}
	})
}

// A refusal that breaks off says nothing: with its key the request is asked about again.
func TestPost_is_repeated_when_a_refusal_breaks_off(t *testing.T) {
	var asked atomic.Int32
	c := peer(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Content-Length", "100")
			problem(w, 503, `{"code":"sto`)
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"id":"x"}`)
	})
	if a, err := c.CreateDispatch(t.Context(), NewDispatch{}); err != nil || a.Value.ID != "x" || asked.Load() != 2 {
		t.Errorf("%+v %v after %d requests", a.Value, err, asked.Load())
	}
}

// What the daemon has answered is not asked again, whatever the answer.
func TestPost_is_not_repeated_once_it_was_refused(t *testing.T) {
	for _, status := range []int{400, 401, 404, 409, 422, 429, 500, 502, 503, 507} {
		var asked atomic.Int32
		c := peer(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			problem(w, status, `{"code":"no","detail":"no"}`)
		})
		var no *Refused
		if _, err := c.CreateDispatch(t.Context(), NewDispatch{}); !errors.As(err, &no) || asked.Load() != 1 {
			t.Errorf("%d: %v after %d requests", status, err, asked.Load())
		}
	}
}

// A signature is taken once: that a connection is lost is for the caller to know.
func TestHook_that_is_signed_is_sent_once_also_over_a_connection_that_breaks(t *testing.T) {
	var asked atomic.Int32
	c := peer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("Idempotency-Key") == "second" {
			asked.Add(1)
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{}`)
	})
	var err error
	if c.signer, err = newSigner("ltd_a_b"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Deliver(t.Context(), "scans", "first", []byte(`{}`)); err != nil { // its connection is used again
		t.Fatal(err)
	}
	var away *Unreachable
	if _, err := c.Deliver(t.Context(), "scans", "second", []byte(`{}`)); !errors.As(err, &away) || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}
