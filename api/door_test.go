package api

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/store"
)

// over is the house as who comes in by its TCP door with these headers sees it.
func (h *house) over(header http.Header) *house {
	h.t.Helper()
	out := *h
	var dialer net.Dialer
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", h.door.Addr().String())
	}}
	h.t.Cleanup(tr.CloseIdleConnections)
	out.client = &http.Client{Transport: with{tr, header}}
	return &out
}

// with adds headers.
type with struct {
	http.RoundTripper
	header http.Header
}

func (w with) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = "localhost"
	for name, vs := range w.header {
		if name == "Host" {
			r.Host = vs[0]
			continue
		}
		r.Header[name] = vs
	}
	return w.RoundTripper.RoundTrip(r)
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// as is the house as who has a token sees it.
func (h *house) as(token string) *house { return h.over(bearer(token)) }

// token stores one and returns its text and what is stored.
func (h *house) token(t store.Token) (string, store.Token) {
	h.t.Helper()
	text, id, err := newTokenText()
	if err != nil {
		h.t.Fatal(err)
	}
	t.ID, t.Hash, t.Owner, t.CreatedBy = id, hashOfToken(text), "ada", "ada"
	if t.Name == "" {
		t.Name = t.Role
	}
	t, err = h.store.InsertToken(h.t.Context(), t)
	if err != nil {
		h.t.Fatal(err)
	}
	return text, t
}

// source registers a trigger and makes a token for it.
func (h *house) source(name string) string {
	h.t.Helper()
	h.do("POST /v1/triggers", `{"name": "`+name+`", "kind": "still", "dispatch_id": "`+h.dispatch(one("say", "hi"))+`"}`).want(201)
	text, _ := h.token(store.Token{Role: RoleSource, Name: name, Trigger: name})
	return text
}

func TestWhoami_over_TCP(t *testing.T) {
	h := newHouse(t)
	op, _ := h.token(store.Token{Role: RoleOperator, Name: "ci"})
	a := h.as(op).do("GET /v1/whoami").want(200)
	if a.text("name") != "token:ci" || a.text("via") != "tcp" || a.text("role") != "operator" || a.field("uid") != nil || a.field("trigger") != nil {
		t.Errorf("%s", a.body)
	}
	a = h.as(h.source("in")).do("GET /v1/whoami").want(200)
	if a.text("role") != "source" || a.text("trigger") != "in" {
		t.Errorf("%s", a.body)
	}
	a = h.do("GET /v1/whoami", "Authorization: Bearer "+op).want(200) // who shows a token on the socket wants to be its user
	if a.text("name") != "token:ci" || a.text("via") != "unix" {
		t.Errorf("%s", a.body)
	}
	if a := h.do("GET /v1/whoami").want(200); a.text("role") != "admin" || a.text("via") != "unix" || a.field("uid") != float64(getuid()) {
		t.Errorf("%s", a.body)
	}
}

func TestMaker_is_the_token(t *testing.T) {
	h := newHouse(t)
	text, _ := h.token(store.Token{Role: RoleOperator, Name: "ci"})
	a := h.as(text).do("POST /v1/dispatches", `{"lattice": `+one("say", "hi")+`}`).want(201)
	if a.text("created_by") != "token:ci" || a.text("owner") != "token:ci" || a.text("run_as") != "nobody" {
		t.Errorf("%s", a.body)
	}
	h.ended(a.text("id"))
}

func TestDoors_are_opened_for_all_or_none(t *testing.T) {
	listen := func(addr string, o DoorOptions) error {
		d, err := ListenTCP(t.Context(), addr, o)
		if err == nil {
			err = d.Close()
		}
		return err
	}
	for addr, want := range map[string]string{
		"0.0.0.0:0":     "tokens would cross the network for all to read; give a certificate with --tls-cert and --tls-key",
		":0":            "--allow-plain",
		"[::]:0":        "--allow-plain",
		"lab":           "write HOST:PORT",
		"127.0.0.1:x":   "127.0.0.1:x",
		"127.0.0.1:-1":  "127.0.0.1:-1",
		"192.0.2.1:0":   "--allow-plain",
		"127.0.0.1:1:2": "write HOST:PORT",
	} {
		if err := listen(addr, DoorOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for addr, o := range map[string]DoorOptions{
		"127.0.0.1:0": {},
		"localhost:0": {},
		"0.0.0.0:0":   {AllowPlain: true},
	} {
		if err := listen(addr, o); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, o := range []DoorOptions{{CertFile: "/nowhere/c.pem", KeyFile: "/nowhere/k.pem"}, {CertFile: "/nowhere/c.pem"}} {
		if err := listen("127.0.0.1:0", o); err == nil {
			t.Errorf("%+v was opened", o)
		}
	}
}

// hung is far longer than anything here may take.
const hung = 60 * time.Second

// codeOf reads the code of a refusal.
func codeOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	coverage.refused(resp.StatusCode, body)
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%s: %q", resp.Status, body)
	}
	return p.Code
}

func TestListenTCP_says_what_to_do_about_an_address(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{
		taken.Addr().String(): "another program listens there",
		"192.0.2.7:0":         "this machine has no such address", // kept for documents, RFC 5737
	} {
		if _, err := ListenTCP(t.Context(), addr, DoorOptions{AllowPlain: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := ListenTCP(t.Context(), "127.0.0.1:0", DoorOptions{CertFile: "no.crt", KeyFile: "no.key"}); err == nil || err.Error() != "TLS: there is no file no.crt" {
		t.Error(err)
	}
}
