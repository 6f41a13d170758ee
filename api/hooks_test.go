package api

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

const pathSecret = "a-secret-path_0123456789"

// hooked registers a webhook trigger; fields come after name, kind and lattice.
func (h *house) hooked(name, fields string) answer {
	h.t.Helper()
	h.do("POST /v1/lattices", one("say", "delivered"))
	if fields != "" {
		fields = ", " + fields
	}
	return h.do("POST /v1/triggers", fmt.Sprintf(`{"name": %q, "kind": "webhook", "lattice": "one"%s}`, name, fields)).want(201)
}

// delivering makes a token with which to deliver to a trigger.
func (h *house) delivering(trigger string) string {
	h.t.Helper()
	text, _ := h.token(store.Token{Role: RoleSource, Name: "to-" + trigger, Trigger: trigger})
	return text
}

// storedEvents are a page of events as far as tests look at them.
type storedEvents struct {
	Items []struct {
		Key     string
		Payload json.RawMessage
	}
	Next string
}

func proof(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestHook_a_delivery_becomes_a_dispatch(t *testing.T) {
	h := newHouse(t)
	h.hooked("hook", `"labels": {"n": "${{ event.body.n }}", "q": "${{ event.query.q }}"}`)
	a := h.do("GET /v1/triggers/hook/hook").want(200)
	if len(a.field("auth").([]any)) != 1 || a.text("auth.0") != "path" {
		t.Errorf("%s", a.body)
	}
	sent := h.over(nil) // from elsewhere, and nobody in particular
	d := sent.do("POST "+a.text("path")+"?q=x", "Idempotency-Key: first", `{"n": 7}`).want(202)
	if d.text("trigger") != "hook" || d.text("key") != "first" || d.field("duplicate") != false {
		t.Errorf("%s", d.body)
	}
	if d = sent.do("POST "+a.text("path")+"?q=x", "Idempotency-Key: first", `{"n": 7}`).want(202); d.field("duplicate") != true {
		t.Errorf("%s", d.body)
	}
	soon(t, "dispatched", func() bool { return h.listed("label=n%3D7&label=q%3Dx&status=completed") == 1 })
	if h.seen("hook") != 1 {
		t.Error("a second delivery is a second event")
	}
	h.do("GET /v1/triggers/nothing/hook").want(404)
	h.do("POST /v1/triggers", `{"name": "t", "kind": "time", "every": "1h", "lattice": "one"}`).want(201)
	if a := h.do("GET /v1/triggers/t/hook").want(409); a.text("code") != "no_webhook" {
		t.Errorf("%s", a.body)
	}
}

func TestHook_who_may_not_deliver_is_told_nothing(t *testing.T) {
	h := newHouse(t)
	h.hooked("hidden", `"path_secret": "`+pathSecret+`"`)
	h.hooked("agent", `"tokens": true`)
	h.hooked("both", `"path_secret": "both-`+pathSecret+`", "signature": {"style": "hex", "secret": "a good secret"}`)
	token, other := h.delivering("agent"), h.delivering("hidden")
	want := ""
	for name, a := range map[string]answer{
		"nothing there":              h.over(nil).do("POST /v1/hooks/nothing", "{}"),
		"a wrong secret":             h.over(nil).do("POST /v1/hooks/"+pathSecret+"x", "{}"),
		"the name of a hidden one":   h.over(nil).do("POST /v1/hooks/hidden", "{}"),
		"its id":                     h.over(nil).do("POST /v1/hooks/"+h.do("GET /v1/triggers/hidden").want(200).text("id"), "{}"),
		"by name where both is due":  h.over(nil).do("POST /v1/hooks/both", "X-Signature: "+proof("a good secret", "{}"), "{}"),
		"no token":                   h.over(nil).do("POST /v1/hooks/agent", "{}"),
		"the token of another":       h.as(other).do("POST /v1/hooks/agent", "{}"),
		"a token that is none":       h.over(bearer("of somebody else")).do("POST /v1/hooks/agent", "{}"),
		"who may do everything else": h.do("POST /v1/hooks/hidden", "{}"),
		"a body that is no JSON":     h.over(nil).do("POST /v1/hooks/nothing", "{"),
	} {
		a.want(404)
		if want == "" {
			want = string(a.body)
		}
		if string(a.body) != want || a.text("code") != "not_found" {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	h.as(token).do("POST /v1/hooks/agent", "{}").want(202)
	h.do("POST /v1/hooks/agent", "{}").want(202) // the users of the socket may
	h.over(nil).do("POST /v1/hooks/"+pathSecret, "{}").want(202)
}

func TestHook_signatures(t *testing.T) {
	h := newHouse(t)
	h.hooked("gh", `"signature": {"style": "github", "secret": "It's a Secret to Everybody"}`)
	h.hooked("pay", `"signature": {"style": "stripe", "secret": "whsec_test_secret"}`)
	const published = "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	text := "Content-Type: text/plain"
	h.over(nil).do("POST /v1/hooks/gh", published, text, "Hello, World!").want(202)
	for name, a := range map[string]answer{
		"absent":          h.over(nil).do("POST /v1/hooks/gh", text, "Hello, World!"),
		"of another body": h.over(nil).do("POST /v1/hooks/gh", published, text, "Hello, World?"),
		"of another kind": h.over(nil).do("POST /v1/hooks/gh", strings.Replace(published, "sha256=", "sha1=", 1), text, "Hello, World!"),
		"broken off":      h.over(nil).do("POST /v1/hooks/gh", published[:50], text, "Hello, World!"),
	} {
		if a.want(401); a.text("code") != "bad_signature" || strings.Contains(string(a.body), "757107ea") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	stripe := func(at time.Time, body string) string {
		return fmt.Sprintf("Stripe-Signature: t=%d,v1=%s", at.Unix(), proof("whsec_test_secret", fmt.Sprintf("%d.%s", at.Unix(), body)))
	}
	body := `{"id": "evt_1"}`
	now := stripe(time.Now(), body)
	if a := h.over(nil).do("POST /v1/hooks/pay", now, body).want(202); a.text("key") != "evt_1" || a.field("duplicate") != false {
		t.Errorf("%s", a.body)
	}
	if a := h.over(nil).do("POST /v1/hooks/pay", now, body).want(202); a.field("duplicate") != true {
		t.Errorf("replayed: %s", a.body)
	}
	if a := h.over(nil).do("POST /v1/hooks/pay", stripe(time.Now().Add(-6*time.Minute), body), body).want(401); a.text("code") != "signature_expired" {
		t.Errorf("late: %s", a.body)
	}
	if a := h.over(nil).do("POST /v1/hooks/pay", now, `{"id": "evt_2"}`).want(401); a.text("code") != "bad_signature" {
		t.Errorf("another body: %s", a.body)
	}
}

func TestHook_bodies(t *testing.T) {
	h := newHouse(t)
	h.hooked("hook", `"path_secret": "`+pathSecret+`", "observe": true`)
	to := "POST /v1/hooks/" + pathSecret
	body := func() string {
		t.Helper()
		page := decodeAs[storedEvents](h.do("GET /v1/triggers/hook/events?limit=1").want(200))
		return string(page.Items[0].Payload)
	}
	h.do(to, "Content-Type: text/plain", strings.Repeat("x", maxHook)).want(202)
	if a := h.do(to, "Content-Type: text/plain", strings.Repeat("x", maxHook+1)).want(413); a.text("code") != "too_large" || !strings.Contains(a.text("detail"), "1048576") {
		t.Errorf("%s", a.body)
	}
	for _, tt := range []struct{ kind, body, want string }{
		{"application/json", `{"a": [1]}`, `"body":{"a":[1]}`},
		{"application/x-www-form-urlencoded", "a=1&b=2&b=3", `"body":{"a":"1","b":["2","3"]}`},
		{"application/octet-stream", "\xff\x01", `"body":{"base64":"/wE="}`},
		{"text/plain", "so", `"body":"so"`},
	} {
		h.do(to, "Content-Type: "+tt.kind, tt.body).want(202)
		if got := body(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.kind, got)
		}
	}
	h.do(to).want(202)
	if got := body(); !strings.Contains(got, `"body":null`) {
		t.Errorf("%s", got)
	}
	if a := h.do(to, `{"a": 1`).want(422); a.text("errors.0.path") != "body" {
		t.Errorf("%s", a.body)
	}
	if a := h.do(to, "Content-Encoding: gzip", "Content-Type: application/json", "\x1f\x8b").want(422); a.text("code") != "invalid" {
		t.Errorf("%s", a.body)
	}
	before := h.seen("hook")
	c := h.raw("POST /v1/hooks/" + pathSecret + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n")
	for _, piece := range []string{"2\r\nso", "\r\n3\r\n it", "\r\n5\r\n goes\r\n", "0\r\n\r\n"} {
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("in pieces: %v, %v", resp, err)
	}
	resp.Body.Close()
	if got := body(); !strings.Contains(got, `"body":"so it goes"`) {
		t.Errorf("%s", got)
	}
	c = h.raw("POST /v1/hooks/" + pathSecret + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	c.Close()
	if n := h.seen("hook"); n != before+1 {
		t.Errorf("%d events, want %d", n, before+1)
	}
}

func TestHook_a_body_that_does_not_come_ends(t *testing.T) {
	h := newHouse(t)
	h.server.limits.body = 50 * time.Millisecond
	h.hooked("hook", `"path_secret": "`+pathSecret+`"`)
	c := h.raw("POST /v1/hooks/" + pathSecret + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	if h.seen("hook") != 0 {
		t.Error("half a delivery is an event")
	}
}

func TestHook_is_slowed_by_its_rate(t *testing.T) {
	h := newHouse(t)
	h.hooked("hook", `"path_secret": "`+pathSecret+`", "accept_rate": "2/1h"`)
	to := "POST /v1/hooks/" + pathSecret
	h.do(to, "1").want(202)
	h.do(to, "2").want(202)
	a := h.do(to, "3").want(429)
	if a.text("code") != "rate_limited" || len(a.header.Get("Retry-After")) != 4 {
		t.Errorf("%s, after %s s", a.body, a.header.Get("Retry-After"))
	}
}

func TestHook_that_only_is_away(t *testing.T) {
	h := newHouse(t)
	h.hooked("first", `"path_secret": "`+pathSecret+`"`)
	second := h.hooked("second", `"path_secret": "`+pathSecret+`"`)
	if second.text("state") != "failing" {
		t.Fatalf("%s", second.body)
	}
	h.do("DELETE /v1/triggers/first").want(204)
	// What is left of the first is a path that leads to the second, which is about to try again.
	a := h.do("POST /v1/hooks/"+pathSecret, "{}")
	if a.status != 202 && (a.status != 503 || a.text("code") != "not_ready" || a.header.Get("Retry-After") == "") {
		t.Errorf("%d: %s", a.status, a.body)
	}
	soon(t, "delivered", func() bool { return h.do("POST /v1/hooks/"+pathSecret, "{}").status == 202 })
	h.do("DELETE /v1/triggers/second").want(204)
	h.do("POST /v1/hooks/"+pathSecret, "{}").want(404)

	h.hooked("signed", `"signature": {"style": "github", "secret_env": "NOT_SET_ANYWHERE"}`)
	if a := h.do("POST /v1/hooks/signed", "{}").want(503); a.text("code") != "not_ready" || strings.Contains(string(a.body), "NOT_SET") {
		t.Errorf("%s", a.body)
	}
}

func TestHook_brings_files(t *testing.T) {
	h := newHouse(t)
	h.hooked("agent", `"tokens": true, "observe": true`)
	agent := h.as(h.delivering("agent"))
	content := "what was measured"
	body := fmt.Sprintf(`{"rel": "day/one.txt", "sha256": %q, "size": %d}`, sumText(content), len(content))
	if a := agent.do("POST /v1/hooks/agent", "Idempotency-Key: 1", body).want(409); a.text("code") != "upload_missing" {
		t.Errorf("%s", a.body)
	}
	agent.do("POST /v1/assets?sha256="+sumText(content), "Content-Type: application/octet-stream", content).want(201)
	if a := agent.do("POST /v1/hooks/agent", "Idempotency-Key: 1", strings.Replace(body, "day/", "../", 1)).want(422); a.text("errors.0.path") != "rel" {
		t.Errorf("%s", a.body)
	}
	agent.do("POST /v1/hooks/agent", "Idempotency-Key: 1", body).want(202)
	// The sender did not get that answer: all comes again, and nothing of it stays.
	agent.do("POST /v1/assets?sha256="+sumText(content), "Content-Type: application/octet-stream", content).want(201)
	if a := agent.do("POST /v1/hooks/agent", "Idempotency-Key: 1", body).want(202); a.field("duplicate") != true {
		t.Errorf("%s", a.body)
	}
	agent.do("GET /v1/assets/" + sumText(content)).want(404)
	page := decodeAs[storedEvents](h.do("GET /v1/triggers/agent/events").want(200))
	if len(page.Items) != 1 || !strings.Contains(string(page.Items[0].Payload), `/incoming/agent/day/one.txt"`) {
		t.Errorf("%s", page.Items[0].Payload)
	}
}

// TestHook_secrets_are_in_no_answer_and_no_log looks for them wherever a trigger is shown.
func TestHook_secrets_are_in_no_answer_and_no_log(t *testing.T) {
	log := &lockedBuffer{}
	h := newHouseWith(t, DoorOptions{}, func(o *Options) { o.Log = zerolog.New(log).Level(zerolog.TraceLevel) })
	const key = "the-signing-secret"
	spec := `"path_secret": "` + pathSecret + `", "signature": {"style": "hex", "secret": "` + key + `"}`
	stream := h.open("GET /v1/events", "Last-Event-ID: 0")
	defer stream.Body.Close()
	var all []answer
	all = append(all, h.hooked("hook", spec))
	see := func(what string, more ...string) { all = append(all, h.do(what, more...)) }
	see("GET /v1/triggers/hook?effective=1")
	see("GET /v1/triggers")
	see("POST /v1/triggers?dry_run=1", `{"name": "other", "kind": "webhook", "lattice": "one", `+spec+`}`)
	see("POST /v1/triggers", `{"name": "hook", "kind": "webhook", "lattice": "one", `+spec+`}`)
	see("PUT /v1/triggers/hook?dry_run=1", `{"kind": "webhook", "lattice": "one", `+spec+`}`)
	see("PUT /v1/triggers/hook", "Idempotency-Key: k", `{"kind": "webhook", "lattice": "one", "observe": true, `+spec+`}`)
	see("PUT /v1/triggers/hook", "Idempotency-Key: k", `{"kind": "webhook", "lattice": "one", "observe": true, `+spec+`}`)
	see("PATCH /v1/triggers/hook", `{"observe": false}`)
	see("PATCH /v1/triggers/hook?dry_run=1", `{"path_secret": "`+pathSecret+`/"}`)
	see("POST /v1/triggers/hook/test")
	see("POST /v1/triggers/hook/pause")
	see("POST /v1/triggers/hook/resume", `{"backlog": "fire"}`)
	see("POST /v1/hooks/"+pathSecret, "{}")
	see("POST /v1/hooks/"+pathSecret+"x", "{}")
	see("POST /v1/hooks/"+pathSecret+"/more", "{}")
	see("GET /v1/hooks/" + pathSecret)
	signed := h.do("POST /v1/hooks/"+pathSecret, "X-Signature: "+proof(key, "{}"), "{}").want(202)
	all = append(all, signed)
	h.over(bearer("ltd_"+strings.Repeat("0", 32)+"_"+strings.Repeat("A", 43))).do("POST /v1/hooks/"+pathSecret, "{}")
	see("GET /v1/triggers/hook/events")
	see("GET /v1/triggers/hook/firings")
	see("GET /v1/dispatches")
	see("GET /v1/audit")
	see("GET /v1/explain?path=/a")
	see("GET /metrics")

	lines := bufio.NewReader(stream.Body)
	var told strings.Builder
	for !strings.Contains(told.String(), `"state":"fired"`) {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		told.WriteString(line)
	}
	all = append(all, answer{t: t, body: []byte(told.String())}, answer{t: t, body: []byte(log.String())}, answer{t: t, body: []byte(h.log.String())})
	for i, a := range all {
		for _, secret := range []string{pathSecret, key, proof(key, "{}")} {
			if strings.Contains(string(a.body), secret) {
				t.Errorf("%d: %s is in %.600s", i, secret, a.body)
			}
		}
	}
	if !strings.Contains(log.String(), "/v1/hooks/"+triggers.Masked) {
		t.Error("deliveries are not in the log at all")
	}
	if a := h.do("GET /v1/triggers/hook/hook").want(200); a.text("path") != "/v1/hooks/"+pathSecret {
		t.Errorf("%s", a.body) // it is still the same after all edits
	}
	h.do("PUT /v1/triggers/hook", `{"kind": "webhook", "lattice": "one", "path_secret": "***", "signature": {"style": "hex", "secret": "***"}}`).want(200)
	h.do("POST /v1/hooks/"+pathSecret, "X-Signature: "+proof(key, "{}"), "{}").want(202)
	if a := h.do("POST /v1/triggers", `{"name": "copy", "kind": "webhook", "lattice": "one", "path_secret": "***"}`).want(422); !strings.Contains(a.text("detail"), "give the secret itself") {
		t.Errorf("%s", a.body)
	}
}

func TestHook_64_at_once_and_some_of_them_go_away(t *testing.T) {
	const senders, each = 64, 10
	h := newHouse(t)
	h.hooked("hook", `"path_secret": "`+pathSecret+`", "accept_rate": "10000/1s", "observe": true`)
	var wg sync.WaitGroup
	var mu sync.Mutex
	given := map[string]bool{}
	before := h.store.Stats().Commits
	began := time.Now()
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if s%8 == 0 { // goes away at some moment, and comes again
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(n)*200*time.Microsecond)
				}
				id := fmt.Sprintf("%d-%d", s, n)
				for _, ctx := range []context.Context{ctx, t.Context()} {
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://latticed/v1/hooks/"+pathSecret, strings.NewReader("{}"))
					if err != nil {
						t.Error(err)
						break
					}
					req.Header.Set("Idempotency-Key", id)
					resp, err := h.client.Do(req)
					if err != nil {
						continue
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != http.StatusAccepted {
						t.Errorf("%s: %d", id, resp.StatusCode)
					}
					mu.Lock()
					given[id] = true
					mu.Unlock()
					break
				}
				cancel()
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if len(given) != senders*each {
		t.Errorf("%d of %d were acknowledged", len(given), senders*each)
	}
	stored := map[string]bool{}
	for after := ""; ; {
		page := decodeAs[storedEvents](h.do("GET /v1/triggers/hook/events?limit=500&after=" + after).want(200))
		for _, e := range page.Items {
			if stored[e.Key] {
				t.Errorf("%s is there twice", e.Key)
			}
			stored[e.Key] = true
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(stored) != senders*each {
		t.Errorf("%d of %d are stored", len(stored), senders*each)
	}
	t.Logf("%.0f deliveries a second, %d transactions", float64(senders*each)/took.Seconds(), h.store.Stats().Commits-before)
}

func TestHook_secrets_are_in_no_log_however_they_are_written(t *testing.T) {
	for _, uri := range []string{"/v1/hooks/SECRET", "//v1/hooks/SECRET", "/v1/hook%73/SECRET", "/v1%2fhooks/SECRET?a=b", "/hooks/SECRET/", "/v1/hook%zz/SECRET"} {
		if got := shownURI(uri); got != "/v1/hooks/"+triggers.Masked {
			t.Errorf("%s is shown as %s", uri, got)
		}
	}
	if got := shownURI("/v1/triggers/scans/hook?x=%2f"); got != "/v1/triggers/scans/hook?x=%2f" {
		t.Error(got)
	}
}
