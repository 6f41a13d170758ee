package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latticed/latticed/store"
)

func TestWrong_tokens(t *testing.T) {
	h := newHouse(t)
	right, k := h.token(store.Token{Role: RoleViewer})
	other := right[:len(right)-1] + map[bool]string{true: "B", false: "A"}[right[len(right)-1] == 'A']
	unknown, _, _ := newTokenText()
	for name, header := range map[string]http.Header{
		"another_secret":   bearer(other),
		"an_unknown_one":   bearer(unknown),
		"cut_off":          bearer(right[:len(right)-1]),
		"upper_case":       bearer(strings.ToUpper(right)),
		"id_only":          bearer(k.ID),
		"twice":            {"Authorization": {"Bearer " + right, "Bearer " + right}},
		"basic":            {"Authorization": {"Basic YWRhOnNlY3JldA=="}},
		"nothing":          {"Authorization": {"Bearer "}},
		"the_hash_of_it":   bearer(fmt.Sprintf("%x", hashOfToken(right))),
		"empty":            {"Authorization": {""}},
		"a_bare_signature": {"Authorization": {"Latticed-HMAC"}},
	} {
		a := h.over(header).do("GET /v1/whoami")
		if a.status != 401 && a.status != 429 || a.status == 401 && a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if strings.Contains(string(a.body), right[40:]) {
			t.Errorf("%s: the answer repeats the secret", name)
		}
	}
	h.as(right).do("GET /v1/whoami").want(200)
}

func TestFailed_attempts_are_slowed_and_right_ones_are_not(t *testing.T) {
	h := newHouse(t)
	right, _ := h.token(store.Token{Role: RoleViewer})
	wrongs := 0
	var waits []int
	for range 14 {
		text, _, _ := newTokenText()
		a := h.as(text).do("GET /v1/whoami")
		switch a.status {
		case 401:
			wrongs++
		case 429:
			n, err := strconv.Atoi(a.header.Get("Retry-After"))
			if err != nil || a.text("code") != "too_many_failures" {
				t.Errorf("%v %s", a.header, a.body)
			}
			waits = append(waits, n)
		}
		h.as(right).do("GET /v1/whoami").want(200)
	}
	if wrongs != freeFailures || fmt.Sprint(waits) != "[1 2 4 8]" {
		t.Errorf("%d times 401, then waits of %v", wrongs, waits)
	}
	if n := strings.Count(h.log.String(), `"message":"refused"`); n != 2 {
		t.Errorf("%d lines for 14 failures:\n%s", n, h.log)
	}
	if text := string(h.do("GET /metrics").want(200).body); !strings.Contains(text, "latticed_http_auth_failures_total 14\n") {
		t.Error("they are not counted")
	}
}

func TestFailures(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	addr := netip.MustParseAddr
	fail := func(f *failures, a string, n int) (wait time.Duration) {
		for range n {
			_, wait = f.add(addr(a), now)
		}
		return wait
	}
	t.Run("grow_to_a_minute_and_are_forgotten", func(t *testing.T) {
		f := newFailures()
		if wait := fail(f, "10.0.0.1", 100); wait != longestPenalty {
			t.Error(wait)
		}
		if wait := fail(f, "10.0.0.2", 10); wait != 0 {
			t.Error("another address has to wait", wait)
		}
		now = now.Add(failureMemory + longestPenalty + time.Second)
		if wait := fail(f, "10.0.0.1", 1); wait != 0 {
			t.Error(wait)
		}
	})
	t.Run("of_a_network_of_IPv6_are_one", func(t *testing.T) {
		f := newFailures()
		fail(f, "2001:db8::1", 10)
		if wait := fail(f, "2001:db8::2:1", 1); wait == 0 {
			t.Error("a neighbour is free")
		}
		if wait := fail(f, "2001:db8:0:1::1", 1); wait != 0 {
			t.Error("another network is not")
		}
		fail(f, "::ffff:10.0.0.9", 10)
		if wait := fail(f, "10.0.0.9", 1); wait == 0 {
			t.Error("the same address written otherwise is free")
		}
	})
	t.Run("need_bounded_memory", func(t *testing.T) {
		f := newFailures()
		for i := range 3 * maxAddresses {
			f.add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now.Add(time.Duration(i)*time.Millisecond))
		}
		if len(f.by) > maxAddresses {
			t.Error(len(f.by))
		}
		if f.add(netip.Addr{}, now); f.count() != 3*maxAddresses+1 {
			t.Error(f.count())
		}
	})
	for n, want := range map[int]bool{0: false, 1: true, 2: false, 9: false, 10: true, 11: false, 99: false, 100: true, 500: false, 1000: true} {
		if loud(n) != want {
			t.Errorf("%d is loud: %v", n, !want)
		}
	}
}

func TestToken_life(t *testing.T) {
	t.Run("expires_to_the_second", func(t *testing.T) {
		h := newHouse(t)
		a := h.do("POST /v1/tokens", `{"name": "short", "role": "viewer", "expires": "2s"}`).want(201)
		who := h.as(a.text("token"))
		who.do("GET /v1/whoami").want(200)
		at, err := time.Parse(time.RFC3339, a.text("expires_at"))
		if err != nil {
			t.Fatal(err)
		}
		soon(t, "expired", func() bool {
			before := time.Now()
			a := who.do("GET /v1/whoami")
			if a.status == 200 && before.After(at) {
				t.Fatalf("let in at %s, after %s", before, at)
			}
			if a.status == 401 && (a.text("code") != "token_ended" || time.Now().Before(at)) {
				t.Fatalf("%s at %s, before %s", a.body, time.Now(), at)
			}
			return a.status == 401
		})
	})
	t.Run("instants", func(t *testing.T) {
		now := time.Date(2026, 11, 20, 12, 0, 30, 0, time.UTC)
		at := func(s string) time.Time { v, _ := time.Parse(time.RFC3339, s); return v }
		for v, want := range map[string]time.Time{"": {}, " 90d ": now.Add(90 * 24 * time.Hour), "1m": now.Add(time.Minute), "2026-11-20T12:01:00Z": at("2026-11-20T12:01:00Z"), "2026-11-20T13:01:00+01:00": at("2026-11-20T12:01:00Z")} {
			if got, err := expiry(v, now); err != nil || !got.Equal(want) {
				t.Errorf("%q: %s %v", v, got, err)
			}
		}
		for _, v := range []string{"0s", "-1h", "soon", "2026-11-20", "2026-11-20T12:00:30Z", "2020-01-01T00:00:00Z"} {
			if got, err := expiry(v, now); err == nil {
				t.Errorf("%q: %s", v, got)
			}
		}
		k := store.Token{ExpiresAt: now.Add(time.Minute)}
		for d, want := range map[time.Duration]error{0: nil, time.Minute - 1: nil, time.Minute: errExpired, time.Hour: errExpired} {
			if err := ended(k, now.Add(d)); err != want { //nolint:errorlint // the very one
				t.Errorf("after %s: %v", d, err)
			}
		}
	})
	t.Run("ends_with_its_trigger", func(t *testing.T) {
		h := newHouse(t)
		agent := h.as(h.source("in"))
		agent.do("GET /v1/whoami").want(200)
		h.do("DELETE /v1/triggers/in").want(204)
		if err := h.server.keys.recheck(t.Context()); err != nil { // what happens each minute
			t.Fatal(err)
		}
		if a := agent.do("GET /v1/whoami"); a.status != 401 || a.text("code") != "token_ended" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("last_use_is_told", func(t *testing.T) {
		h := newHouse(t)
		text, k := h.token(store.Token{Role: RoleViewer})
		if a := h.do("GET /v1/tokens").want(200); a.field("items.0.last_used_at") != nil {
			t.Errorf("%s", a.body)
		}
		began := time.Now()
		h.as(text).do("GET /v1/dispatches").want(200)
		used, err := time.Parse(time.RFC3339, h.do("GET /v1/tokens").want(200).text("items.0.last_used_at"))
		if err != nil || used.Before(began.Truncate(time.Microsecond)) || used.After(time.Now()) {
			t.Errorf("%s %v", used, err)
		}
		h.as(text).do("GET /v1/dispatches").want(200)
		h.stopServing()
		if k, err = h.store.TokenByID(t.Context(), k.ID); err != nil || !k.LastUsedAt.After(used) {
			t.Errorf("%s %v: the last use before the stop is lost", k.LastUsedAt, err)
		}
	})
}

func TestRevocation_ends_what_its_user_follows(t *testing.T) {
	h := newHouse(t)
	h.dispatch(one("hold"))
	for name, path := range map[string]string{
		"events": "/v1/events",
		"log":    "/v1/dispatches/1/electrons/work/stdout?follow=1",
		"wait":   "/v1/dispatches/1?wait=60s",
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := h.token(store.Token{Role: RoleViewer, Name: name})
			who := h.as(text)
			told := make(chan string, 1)
			begun := make(chan struct{})
			go func() {
				if name == "wait" {
					close(begun)
				}
				resp := who.open("GET " + path)
				defer resp.Body.Close()
				r := bufio.NewReader(resp.Body)
				if name == "events" {
					_, _ = r.ReadString('\n')
				}
				if name != "wait" {
					close(begun)
				}
				rest, _ := io.ReadAll(r)
				told <- fmt.Sprint(resp.StatusCode, " ", string(rest))
			}()
			<-begun
			soon(t, "in use", func() bool { return h.server.keys.has(name) })
			h.do("DELETE /v1/tokens/" + name).want(204)
			select {
			case said := <-told:
				if name == "wait" && (!strings.HasPrefix(said, "401 ") || !strings.Contains(said, "token_ended")) {
					t.Errorf("%.200s", said)
				}
			case <-time.After(hung):
				t.Fatal("it goes on")
			}
			who.do("GET /v1/whoami").want(401)
		})
	}
}

// has tells whether a token of that name is in use.
func (r *keyring) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.keys {
		if k.Name == name {
			return true
		}
	}
	return false
}

func TestSecrets_are_kept_nowhere(t *testing.T) {
	h := newHouse(t)
	h.source("in")
	a := h.do("POST /v1/tokens", `{"name": "ci", "role": "admin"}`).want(201)
	text := a.text("token")
	who := h.as(text)
	who.do("GET /v1/whoami").want(200)
	who.do("POST /v1/dispatches", "Idempotency-Key: k", `{"lattice": `+one("say", "hi")+`}`).want(201)
	who.do("PATCH /v1/dispatches/1", `{"note": "x"}`).want(200)
	h.as(text[:len(text)-2] + "AA").do("GET /v1/whoami").want(401)
	secret := text[len(tokenPrefix)+tokenID+1:]
	for name, said := range map[string][]byte{
		"tokens": h.do("GET /v1/tokens?all=1").want(200).body,
		"audit":  h.do("GET /v1/audit").want(200).body,
		"log":    []byte(h.log.String()),
	} {
		if bytes.Contains(said, []byte(secret)) || bytes.Contains(said, []byte(secret[:len(secret)-2])) {
			t.Errorf("%s: %s", name, said)
		}
	}
	h.stopServing()
	k, err := h.store.Token(t.Context(), "ci")
	if err != nil || !bytes.Equal(k.Hash, hashOfToken(text)) {
		t.Fatalf("%+v %v", k, err)
	}
	files := 0
	err = filepath.WalkDir(filepath.Join(h.dir, "state"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files: %v", files, err)
	}
}

func TestTokens_are_checked(t *testing.T) {
	h := newHouse(t)
	h.source("in")
	h.do("POST /v1/triggers", `{"name": "tick", "kind": "time", "every": "1h", "dispatch_id": "1"}`).want(201)
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"no_name":               {`{"role": "viewer"}`, 422, "name"},
		"a_bad_name":            {`{"name": "a b", "role": "viewer"}`, 422, "name: must be 1 to 64 of"},
		"no_role":               {`{"name": "a"}`, 422, "role"},
		"an_unknown_role":       {`{"name": "a", "role": "opreator"}`, 422, `role: there is no role "opreator"; did you mean "operator"?`},
		"a_source_of_nothing":   {`{"name": "a", "role": "source"}`, 422, "trigger: role source is for one trigger: name it"},
		"a_source_of_none":      {`{"name": "a", "role": "source", "trigger": "nope"}`, 404, `trigger "nope": not found`},
		"a_source_of_a_clock":   {`{"name": "a", "role": "source", "trigger": "tick"}`, 422, "trigger: trigger tick is of kind time; a token delivers to one of kind webhook"},
		"a_viewer_of_a_trigger": {`{"name": "a", "role": "viewer", "trigger": "in"}`, 422, "trigger: means nothing with role viewer"},
		"a_past":                {`{"name": "a", "role": "viewer", "expires": "2020-01-01T00:00:00Z"}`, 422, "expires: must be in the future"},
		"an_odd_time":           {`{"name": "a", "role": "viewer", "expires": "soon"}`, 422, "expires: must be how long the token lives"},
		"a_bare_number":         {`{"name": "a", "role": "viewer", "expires": "90"}`, 422, "expires: 90 what? Write for example 90d, 90h or 90s"},
		"a_taken_name":          {`{"name": "in", "role": "viewer"}`, 409, "there is a token named in already"},
		"an_unknown_key":        {`{"name": "a", "role": "viewer", "exipres": "1d"}`, 422, `exipres: unknown key; did you mean "expires"?`},
	} {
		a := h.do("POST /v1/tokens", c.body)
		if a.status != c.status || !strings.Contains(a.text("detail"), c.want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	soon := h.do("POST /v1/tokens", `{"name": "a", "role": "viewer", "expires": 90.5}`).want(201)
	if end, err := time.Parse(time.RFC3339, soon.text("expires_at")); err != nil || time.Until(end) > 90500*time.Millisecond || time.Until(end) < time.Minute {
		t.Errorf("a number of seconds: %s", soon.body)
	}
	h.do("DELETE /v1/tokens/a").want(204)
	if a := h.do("DELETE /v1/tokens/nobody").want(404); a.text("detail") != `token "nobody": not found` {
		t.Errorf("%s", a.body)
	}
	if a := h.do("GET /v1/tokens").want(200); a.text("items.0.name") != "in" || a.text("items.0.trigger") != "in" || a.text("items.0.role") != "source" {
		t.Errorf("%s", a.body)
	}
}

func FuzzAuthorization(f *testing.F) {
	text, id, err := newTokenText()
	if err != nil {
		f.Fatal(err)
	}
	short := strings.ReplaceAll(id, "-", "")
	mac := strings.Repeat("ab", 32)
	for _, s := range []string{
		"", "Bearer", "Bearer " + text, "bearer  " + text, "Bearer " + text[1:], "Basic x", "Latticed-HMAC",
		"Latticed-HMAC id=" + short + ",t=1700000000,n=abcdefghijklmnop,v1=" + mac,
		"latticed-hmac v1=" + mac + ", n=abcdefghijklmnop, t=1700000000, id=" + short,
		"Latticed-HMAC id=" + id + ",t=-1,n=,v1=zz", "Latticed-HMAC id=" + short + ",id=" + short, "Latticed-HMAC ,,,", "Latticed-HMAC t=99999999999999999999",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := readAuthorization(http.Header{"Authorization": {s}})
		switch {
		case err != nil:
			if got != (shown{}) || strings.Contains(err.Error(), "%!") {
				t.Errorf("%+v %v", got, err)
			}
		case got.token != "":
			if id, ok := idOfToken(got.token); !ok || len(id) != 36 || !strings.HasSuffix(strings.TrimSpace(s), got.token) {
				t.Errorf("%q is taken for a token", got.token)
			}
		case got.signed != nil:
			if len(got.signed.mac) != 32 || len(got.signed.word) < minWord || len(got.signed.id) != 36 || got.signed.at.Unix() < 0 {
				t.Errorf("%+v", got.signed)
			}
		case !got.unknown:
			t.Errorf("%q means nothing", s)
		}
	})
}

// TestTrouble_of_who_has_a_token is answered and logged like anybody's: its context ends
// with its handler, and that is not the client's going away.
func TestTrouble_of_who_has_a_token(t *testing.T) {
	h := newHouse(t)
	h.server.echo.GET("/odd", func(echo.Context) error { return errors.New("the detail") })
	h.server.echo.GET("/boom", func(echo.Context) error { panic("the bomb") })
	text, _ := h.token(store.Token{Role: RoleViewer})
	for path, logged := range map[string]string{"/odd": "the detail", "/boom": "the bomb"} {
		if a := h.as(text).do("GET " + path); a.status != 500 || a.text("code") != "internal" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if text := h.log.String(); !strings.Contains(text, logged) || !strings.Contains(text, `"level":"error"`) {
			t.Errorf("%s: the log says %s", path, text)
		}
	}
}
