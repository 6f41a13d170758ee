package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const token = "ltd_0198f3a07c5b7e0c9c1de3f1a2b3c4d5_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"

// served answers requests over TCP as the test says.
func served(t *testing.T, o Options, f http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	o.Server = srv.URL
	return connected(t, o)
}

func connected(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConnect(t *testing.T) {
	for server, want := range map[string]string{
		"ftp://lab":                 "write unix:PATH or https://HOST:PORT",
		"lab:8321":                  "write unix:PATH or https://HOST:PORT",
		"https://":                  "write unix:PATH or https://HOST:PORT",
		"https://ada:secret@lab":    "shown by a token",
		"https://lab:8321/latticed": "ends with the port",
		"https://lab:8321/?a=b":     "ends with the port",
		"http://[::1":               "is not an address",
	} {
		_, err := Connect(Options{Server: server})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", server, err)
		}
	}
	for server, plain := range map[string]bool{
		"unix:/run/latticed/latticed.sock": false,
		"unix:///run/latticed.sock":        false,
		"/run/latticed.sock":               false,
		"https://lab":                      false,
		"http://127.0.0.1:8321":            false,
		"http://localhost:8321/":           false,
		"http://[::1]:8321":                false,
		"http://lab:8321":                  true,
		"http://10.0.0.7:8321":             true,
	} {
		if c := connected(t, Options{Server: server}); c.Plain() != plain {
			t.Errorf("%s: plain is %v", server, c.Plain())
		}
	}
	if _, err := Connect(Options{Server: "https://lab", Token: "hunter2", Sign: true}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	none := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(none, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(Options{Server: "https://lab", CAFile: none}); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("%v", err)
	}
}

func TestToken_is_sent(t *testing.T) {
	t.Run("to_the_daemon", func(t *testing.T) {
		c := served(t, Options{Token: token}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"name":%q}`, r.Header.Get("Authorization"))
		})
		a, err := c.Whoami(t.Context())
		if err != nil || a.Value.Name != "Bearer "+token {
			t.Errorf("%+v %v", a.Value, err)
		}
	})
	t.Run("nowhere_else_when_somebody_redirects", func(t *testing.T) {
		asked := 0
		c := served(t, Options{Token: token}, func(w http.ResponseWriter, r *http.Request) {
			asked++
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		})
		if _, err := c.Whoami(t.Context()); err == nil || asked != 1 {
			t.Errorf("%v after %d requests", err, asked)
		}
	})
}

func TestTLS_trusts_a_certificate_that_is_named(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"name":"ada"}`)
	}))
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := connected(t, Options{Server: srv.URL, CAFile: ca}).Whoami(t.Context()); err != nil || a.Value.Name != "ada" {
		t.Errorf("%+v %v", a.Value, err)
	}
	if _, err := connected(t, Options{Server: srv.URL}).Whoami(t.Context()); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("%v", err)
	}
	began := time.Now() // what was never sent isn't repeated
	if _, err := connected(t, Options{Server: srv.URL}).CreateDispatch(t.Context(), NewDispatch{}); err == nil || time.Since(began) > repeatFor/2 {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestConnect_tells_who_is_not_the_daemon(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	plain := strings.Replace(srv.URL, "https://", "http://", 1)
	if _, err := connected(t, Options{Server: plain}).Whoami(t.Context()); err == nil || err.Error() != plain+" speaks TLS: write https://" {
		t.Errorf("%v", err)
	}
	for body, want := range map[string]string{
		"<html>\n<h1>Bad Gateway": "answers 502 Bad Gateway, and not as the daemon does",
		"":                        "answers 502 Bad Gateway, and not as the daemon does",
		"the lab's proxy is away": "the lab's proxy is away",
	} {
		c := served(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, body)
		})
		if _, err := c.Whoami(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

var signed = regexp.MustCompile(`^Latticed-HMAC id=0198f3a07c5b7e0c9c1de3f1a2b3c4d5,t=([0-9]+),n=([A-Z2-7]{26}),v1=([0-9a-f]{64})$`)

func TestSign(t *testing.T) {
	t.Run("proves_the_token_and_keeps_it", func(t *testing.T) {
		c := served(t, Options{Token: token, Sign: true}, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			m := signed.FindStringSubmatch(r.Header.Get("Authorization"))
			if err != nil || m == nil || strings.Contains(fmt.Sprint(r.Header), token) {
				t.Errorf("%v %v", r.Header, err)
				return
			}
			sum := sha256.Sum256(body)
			key := sha256.Sum256([]byte(token))
			mac := hmac.New(sha256.New, key[:])
			fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n%x", r.Method, r.RequestURI, m[1], m[2], sum)
			if hex.EncodeToString(mac.Sum(nil)) != m[3] || r.Header.Get(bodySum) != hex.EncodeToString(sum[:]) {
				t.Errorf("%s is signed wrongly", r.RequestURI)
			}
			_, _ = io.WriteString(w, `{}`)
		})
		if _, err := c.Whoami(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := c.Lattice(t.Context(), "a/b ü"); err != nil {
			t.Error(err)
		}
		if _, err := c.CreateToken(t.Context(), NewToken{Name: "x"}); err != nil {
			t.Error(err)
		}
		if _, err := c.PutAsset(t.Context(), strings.NewReader("x")); err == nil {
			t.Error("bytes of unknown SHA-256 were signed")
		}
	})
	t.Run("waits_for_the_next_second_when_a_daemon_that_just_started_takes_none_of_this_one", func(t *testing.T) {
		var asked []string
		c := served(t, Options{Token: token, Sign: true}, func(w http.ResponseWriter, r *http.Request) {
			at := signed.FindStringSubmatch(r.Header.Get("Authorization"))[1]
			if asked = append(asked, at); at == asked[0] {
				problem(w, 401, `{"code":"clock_skew","detail":"x"}`)
				return
			}
			_, _ = io.WriteString(w, `{}`)
		})
		if _, err := c.Whoami(t.Context()); err != nil || len(asked) != 2 {
			t.Errorf("%v %v", err, asked)
		}
		c = served(t, Options{Token: token, Sign: true}, func(w http.ResponseWriter, _ *http.Request) { problem(w, 401, `{"code":"clock_skew","detail":"x"}`) })
		var no *Refused
		if _, err := c.Whoami(t.Context()); !errors.As(err, &no) || no.Code != "clock_skew" {
			t.Errorf("%v", err)
		}
	})
	t.Run("takes_over_the_clock_of_the_daemon_once", func(t *testing.T) {
		there := time.Now().Add(-3 * time.Hour)
		var asked []string
		c := served(t, Options{Token: token, Sign: true}, func(w http.ResponseWriter, r *http.Request) {
			at := signed.FindStringSubmatch(r.Header.Get("Authorization"))[1]
			asked = append(asked, at)
			w.Header().Set("Date", there.UTC().Format(http.TimeFormat))
			if at == fmt.Sprint(there.Unix()) || at == fmt.Sprint(there.Unix()+1) {
				_, _ = io.WriteString(w, `{}`)
				return
			}
			problem(w, 401, `{"code":"clock_skew","detail":"x"}`)
		})
		if _, err := c.Whoami(t.Context()); err != nil || len(asked) != 2 {
			t.Errorf("%v %v", err, asked)
		}
		there = there.Add(time.Hour)
		if _, err := c.Whoami(t.Context()); err != nil || len(asked) != 4 {
			t.Errorf("%v %v", err, asked)
		}
	})
}
