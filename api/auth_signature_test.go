package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/store"
)

// signedBy makes the headers of a request, as openapi.yaml tells agents to.
func signedBy(token, method, uri, body string, at time.Time, word string) http.Header {
	sum := sha256.Sum256([]byte(body))
	hexSum := hex.EncodeToString(sum[:])
	key := sha256.Sum256([]byte(token))
	mac := hmac.New(sha256.New, key[:])
	fmt.Fprintf(mac, "%s\n%s\n%d\n%s\n%s", method, uri, at.Unix(), word, hexSum)
	id := token[len(tokenPrefix) : len(tokenPrefix)+tokenID]
	return http.Header{
		"Authorization":        {fmt.Sprintf("Latticed-HMAC id=%s,t=%d,n=%s,v1=%x", id, at.Unix(), word, mac.Sum(nil))},
		"Latticed-Body-Sha256": {hexSum},
	}
}

func TestSignature(t *testing.T) {
	h := newHouse(t)
	agent := h.source("in")
	word := 0
	sign := func(method, uri, body string, at time.Time) http.Header {
		word++
		return signedBy(agent, method, uri, body, at, fmt.Sprintf("a-word-used-once-%d", word))
	}
	refused := func(t *testing.T, a answer, status int, code string) {
		t.Helper()
		if a.status != status || a.text("code") != code {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	now := time.Now()

	t.Run("proves_who_sent_it", func(t *testing.T) {
		if a := h.over(sign("GET", "/v1/whoami", "", now)).do("GET /v1/whoami").want(200); a.text("name") != "token:in" {
			t.Errorf("%s", a.body)
		}
		h.over(sign("POST", "/v1/assets", "some bytes", now)).do("POST /v1/assets", "Content-Type: application/octet-stream", "some bytes").want(201)
	})
	t.Run("counts_once", func(t *testing.T) {
		again := h.over(sign("POST", "/v1/assets", "x", now))
		again.do("POST /v1/assets", "Content-Type: application/octet-stream", "x").want(201)
		refused(t, again.do("POST /v1/assets", "Content-Type: application/octet-stream", "x"), 401, "signature_replayed")
	})
	t.Run("is_of_one_request", func(t *testing.T) {
		for name, c := range map[string]struct {
			header http.Header
			what   string
			body   []string
		}{
			"another_path":   {sign("GET", "/v1/whoami", "", now), "GET /v1/assets/" + strings.Repeat("0", 64), nil},
			"another_query":  {sign("GET", "/v1/whoami", "", now), "GET /v1/whoami?a=b", nil},
			"another_method": {sign("GET", "/v1/assets", "", now), "POST /v1/assets", nil},
			"another_sum":    {with2(sign("GET", "/v1/whoami", "", now), "Latticed-Body-Sha256", emptySum[1:]+"0"), "GET /v1/whoami", nil},
			"another_token":  {with2(sign("GET", "/v1/whoami", "", now), "Authorization", strings.Replace(sign("GET", "/v1/whoami", "", now).Get("Authorization"), "id=0", "id=f", 1)), "GET /v1/whoami", nil},
		} {
			if a := h.over(c.header).do(c.what, c.body...); a.status != 401 && a.status != 429 {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
	t.Run("is_of_one_body", func(t *testing.T) {
		a := h.over(sign("POST", "/v1/assets", "mine", now)).do("POST /v1/assets", "Content-Type: application/octet-stream", "theirs")
		refused(t, a, 401, "unauthenticated")
		a = h.over(sign("POST", "/v1/assets", "mine", now)).do("POST /v1/assets", "Content-Type: application/octet-stream", "min")
		refused(t, a, 401, "unauthenticated")
		a = h.over(sign("POST", "/v1/hooks/in", `{}`, now)).do("POST /v1/hooks/in", `{"a": 1}`)
		refused(t, a, 401, "unauthenticated")
		a = h.over(sign("POST", "/v1/hooks/in", `{}`, now)).do("POST /v1/hooks/in")
		refused(t, a, 401, "unauthenticated")
	})
	t.Run("is_of_now", func(t *testing.T) {
		for _, off := range []time.Duration{-time.Hour, -clockWindow - 2*time.Second, clockWindow + 2*time.Second, 1000 * time.Hour} {
			a := h.over(sign("GET", "/v1/whoami", "", now.Add(off))).do("GET /v1/whoami")
			refused(t, a, 401, "clock_skew")
			if _, err := http.ParseTime(a.header.Get("Date")); err != nil {
				t.Error(err)
			}
		}
		h.over(sign("GET", "/v1/whoami", "", now.Add(clockWindow-10*time.Second))).do("GET /v1/whoami").want(200)
	})
	t.Run("is_for_agents_only", func(t *testing.T) {
		admin, _ := h.token(store.Token{Role: RoleAdmin})
		a := h.over(signedBy(admin, "GET", "/v1/whoami", "", now, "a-word-used-once")).do("GET /v1/whoami")
		if !strings.Contains(a.text("detail"), "only tokens of role source sign") {
			t.Errorf("%d %s", a.status, a.body)
		}
		// Who has read the database has no more than that.
		hash := fmt.Sprintf("%x", hashOfToken(admin))
		if a := h.as(hash).do("GET /v1/whoami"); a.status != 401 && a.status != 429 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("ends_with_the_token", func(t *testing.T) {
		h.do("DELETE /v1/tokens/in").want(204)
		refused(t, h.over(sign("GET", "/v1/whoami", "", now)).do("GET /v1/whoami"), 401, "token_ended")
	})
}

// with2 sets one header.
func with2(h http.Header, name, v string) http.Header {
	h.Set(name, v)
	return h
}

func TestClient_signs_what_the_daemon_takes(t *testing.T) {
	h := newHouse(t)
	c, err := client.Connect(client.Options{Server: h.door.String(), Token: h.source("in"), Sign: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		a, err := c.Whoami(t.Context())
		if err != nil || a.Value.Trigger == nil || *a.Value.Trigger != "in" {
			t.Fatalf("%+v %v", a.Value, err)
		}
	}
	h.server.replays = newReplays(time.Now().Add(time.Hour), h.store) // a daemon whose clock is ahead, and ours agrees with none of it
	if _, err := c.Whoami(t.Context()); err == nil || !strings.Contains(err.Error(), "too far from the time here") {
		t.Errorf("%v", err)
	}
}

// unmarked stores nothing.
type unmarked struct{}

func (unmarked) Signed(context.Context, string, time.Time) error { return nil }

func (unmarked) SignedUntil(context.Context, time.Time) (map[string]time.Time, error) {
	return map[string]time.Time{}, nil
}

// The clock of an agent may be ahead: what it has signed is of a time to come after a
// restart, too.
func TestReplays_of_a_clock_that_is_ahead_are_refused_after_a_restart(t *testing.T) {
	h := newHouse(t)
	now := time.Now()
	sig := func(token string, at time.Time, word string) *signature {
		return &signature{id: token, at: at.Truncate(time.Second), word: word}
	}
	r := newReplays(now, h.store)
	for _, s := range []*signature{sig("a", now.Add(4*time.Minute), "first"), sig("a", now.Add(3*time.Minute), "second"), sig("a", now, "third")} {
		if err := r.take(t.Context(), s, now); err != nil {
			t.Fatal(err)
		}
	}
	for _, later := range []time.Duration{0, time.Second, 2 * time.Minute} {
		then := now.Add(later)
		r := newReplays(then, h.store) // a daemon that was started anew
		for word, at := range map[string]time.Time{"first": now.Add(4 * time.Minute), "second": now.Add(3 * time.Minute), "third": now} {
			if err := r.take(t.Context(), sig("a", at, word), then); err == nil || judge(err).Code != codeClockSkew {
				t.Errorf("%s counts again %s later: %v", word, later, err)
			}
		}
		if err := r.take(t.Context(), sig("a", then.Add(4*time.Minute+time.Second), "next"+later.String()), then); err != nil {
			t.Errorf("its next one, %s later: %v", later, err)
		}
		if err := r.take(t.Context(), sig("b", then, "other"+later.String()), then); err != nil {
			t.Errorf("another's, %s later: %v", later, err)
		}
		now = then
	}
	if until, err := h.store.SignedUntil(t.Context(), now.Add(time.Hour)); err != nil || len(until) != 0 {
		t.Errorf("what is over stays: %v, %v", until, err)
	}
}

func TestReplays(t *testing.T) {
	start := time.Date(2026, 11, 20, 12, 0, 0, 500, time.UTC)
	sig := func(at time.Time, word string) *signature {
		return &signature{id: "a", at: at.Truncate(time.Second), word: word}
	}
	code := func(err error) string {
		if err == nil {
			return ""
		}
		return judge(err).Code
	}
	t.Run("are_known_for_as_long_as_they_could_come", func(t *testing.T) {
		r := newReplays(start, unmarked{})
		for _, ahead := range []time.Duration{0, clockWindow} {
			for after := range 22 { // half minutes
				first := start.Add(time.Duration(after) * 7 * time.Minute).Add(ahead)
				word := fmt.Sprint(ahead, after)
				now := first.Add(-ahead)
				if err := r.take(t.Context(), sig(first, word), now); err != nil {
					t.Fatal(word, err)
				}
				for later := time.Duration(0); later < 15*time.Minute; later += 30 * time.Second {
					r.take(t.Context(), sig(now.Add(later), fmt.Sprint(word, later)), now.Add(later)) // others go on
					if c := code(r.take(t.Context(), sig(first, word), now.Add(later))); c != codeReplayed && c != codeClockSkew {
						t.Fatalf("%s counts again %s later", word, later)
					}
				}
			}
		}
	})
	t.Run("from_before_the_start_are_refused", func(t *testing.T) {
		r := newReplays(start, unmarked{})
		if c := code(r.take(t.Context(), sig(start.Add(-time.Second), "x"), start)); c != codeClockSkew {
			t.Error(c)
		}
		if c := code(r.take(t.Context(), sig(start, "x"), start)); c != "" {
			t.Error("the second of the start itself:", c)
		}
	})
	t.Run("need_bounded_memory_and_stay_refused", func(t *testing.T) {
		r := newReplays(start, unmarked{})
		r.atMost = 100
		now := start
		for i := range 1000 {
			now = start.Add(time.Duration(i) * 100 * time.Millisecond)
			if err := r.take(t.Context(), sig(now, fmt.Sprint(i)), now); err != nil {
				t.Fatal(i, err)
			}
			if len(r.young)+len(r.old) > 200 {
				t.Fatal(len(r.young), len(r.old))
			}
		}
		for i := range 1000 {
			if c := code(r.take(t.Context(), sig(start.Add(time.Duration(i)*100*time.Millisecond), fmt.Sprint(i)), now)); c == "" {
				t.Fatal(i, "counts again")
			}
		}
	})
}
