package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is a daemon with sixty-four clients over TCP, each with a token, all at once.
type load struct {
	*victim
	base   string // http://HOST:PORT/v1
	token  string // of those who ask
	source string // of those who deliver
	calls  atomic.Int64
}

const loadClients = 64

// loadLasts is bounded, so that the suite is.
const loadLasts = time.Minute

// What 64 clients ask for in a minute is neither lost nor doubled: every acknowledged
// dispatch is there once, every delivery is in one firing, and when they have gone the
// daemon has given back what it held for them.
func TestLoad_64_clients_for_a_minute_lose_double_and_leak_nothing(t *testing.T) {
	l := newLoad(t)
	goroutines, files := l.metric("go_goroutines"), l.metric("process_open_fds")
	ctx, stop := context.WithTimeout(t.Context(), loadLasts)
	defer stop()
	clients := make([]*loadClient, loadClients)
	var wg sync.WaitGroup
	for i := range clients {
		clients[i] = &loadClient{load: l, n: i, http: &http.Client{Timeout: 70 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}
		wg.Go(func() { clients[i].live(ctx) })
	}
	wg.Wait()
	l.drained()
	made, events := 0, 0
	for _, c := range clients {
		made, events = made+len(c.made), events+len(c.delivered)
	}
	t.Logf("%d requests in %s: %d dispatches and %d deliveries were acknowledged; %d MB resident at the most", l.calls.Load(), loadLasts, made, events, l.memory("VmHWM")>>20)
	if made < 1000 || events < 500 {
		t.Errorf("only %d dispatches and %d deliveries: nothing is shown", made, events)
	}
	l.balances(clients)
	// The connections to the database that were opened for them stay: there are few.
	eventually(t, "what was held for the clients is given back", func() bool {
		return l.metric("go_goroutines") < goroutines+loadClients/4 && l.metric("process_open_fds") < files+loadClients/2
	})
	l.stop()
	l.rows(map[string]int{
		"SELECT count(*) FROM events WHERE firing IS NULL":                                                                                    0,
		"SELECT count(*) FROM events":                                                                                                         events,
		"SELECT count(*) FROM dispatches WHERE firing_id IS NULL":                                                                             made,
		"SELECT count(*) FROM dispatches WHERE status = 'running' OR status = 'pending'":                                                      0,
		"SELECT count(*) FROM dispatches d WHERE firing_id IS NOT NULL AND firing_id NOT IN (SELECT id FROM firings)":                         0,
		"SELECT count(*) - count(DISTINCT id) FROM dispatches":                                                                                0,
		"SELECT coalesce(sum(json_array_length(dispatches)), 0) - (SELECT count(*) FROM dispatches WHERE firing_id IS NOT NULL) FROM firings": 0,
	})
}

func newLoad(t *testing.T) *load {
	addr := freeAddress(t)
	l := &load{victim: newVictim(t), base: "http://" + addr + "/v1"}
	l.args = []string{"--listen", addr, "--log-level", "warn"}
	l.start()
	l.storeLattice("note", map[string]any{"n": map[string]any{"default": 0}}, map[string]any{"run": []string{"true"}})
	l.add(map[string]any{
		"name": "bell", "kind": "webhook", "lattice": "note", "tokens": true, "accept_rate": "10000/1s",
		"inputs": map[string]any{"n": "${{ len(events) }}"}, "batch": map[string]any{"size": 500, "wait": "1s"},
	})
	var made struct{ Token string }
	l.call(http.MethodPost, "/tokens", map[string]any{"name": "crowd", "role": "operator"}, &made)
	l.token = made.Token
	l.call(http.MethodPost, "/tokens", map[string]any{"name": "ringer", "role": "source", "trigger": "bell"}, &made)
	l.source = made.Token
	return l
}

// drained waits until nothing of what was asked for runs or waits any more.
func (l *load) drained() {
	l.t.Helper()
	for begun := time.Now(); time.Since(begun) < 2*time.Minute; time.Sleep(200 * time.Millisecond) {
		if l.metric("latticed_dispatches") == 0 && l.metric("latticed_trigger_pending") == 0 {
			return
		}
	}
	l.t.Error("what was asked for does not end")
}

// balances compares what was acknowledged with what there is.
func (l *load) balances(clients []*loadClient) {
	l.t.Helper()
	there := map[string]string{}
	for _, d := range everything[crashed](l.victim, "/dispatches?") {
		if there[d.ID] != "" {
			l.t.Errorf("dispatch %d is listed twice", d.Number)
		}
		there[d.ID] = d.Status
	}
	known := map[string]bool{}
	for _, e := range everything[struct{ Key string }](l.victim, "/triggers/bell/events?") {
		known[e.Key] = true
	}
	for _, c := range clients {
		for _, id := range c.made {
			if there[id] == "" {
				l.t.Errorf("dispatch %s was acknowledged and is not there", id)
			}
		}
		for _, key := range c.delivered {
			if !known[key] {
				l.t.Errorf("delivery %s was acknowledged and is no event", key)
			}
		}
	}
}

// loadClient asks for one thing after the other, and notes what was acknowledged.
type loadClient struct {
	*load
	n         int
	http      *http.Client
	turn      int
	made      []string // ids of dispatches
	delivered []string // keys of events
}

func (c *loadClient) live(ctx context.Context) {
	defer c.http.CloseIdleConnections()
	for ; ctx.Err() == nil && !c.t.Failed(); c.turn++ {
		c.calls.Add(1)
		switch p := rand.N(100); {
		case p < 40:
			c.make("/dispatches", map[string]any{"lattice": "note", "disable_run": true})
		case p < 43:
			c.make("/dispatches", map[string]any{"lattice": "note"})
		case p < 48 && len(c.made) > 0:
			c.make("/dispatches/"+c.any()+"/redispatch", map[string]any{"inputs": map[string]any{"n": c.turn}, "disable_run": true})
		case p < 53 && len(c.made) > 0:
			c.want(http.MethodPatch, "/dispatches/"+c.any(), `{"labels":{"turn":"x"}}`, 200)
		case p < 57 && len(c.made) > 0:
			c.want(http.MethodPost, "/dispatches/"+c.any()+"/cancel", "", 200)
		case p < 62:
			c.want(http.MethodGet, "/dispatches?limit=50&status=completed,new&lattice=note", "", 200)
		case p < 67 && len(c.made) > 0:
			c.want(http.MethodGet, "/dispatches/"+c.any(), "", 200)
		case p < 92:
			c.ring()
		case p < 94:
			c.follow()
		case p < 96:
			c.want(http.MethodPost, "/dispatches", `{"lattice": "note", "inptus": {}}`, 422)
		case p < 98:
			c.want(http.MethodPost, "/dispatches", strings.Repeat("[", 1<<16), 422)
		default:
			c.want(http.MethodGet, "/dispatches/"+strings.Repeat("9", 30), "", 404)
		}
	}
}

func (c *loadClient) any() string { return c.made[rand.N(len(c.made))] }

// make asks for a dispatch, every fifth time twice with the same key.
func (c *loadClient) make(path string, body map[string]any) {
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Error(err)
		return
	}
	key := fmt.Sprintf("c%d-%d", c.n, c.turn)
	first := c.post(path, key, raw, 201)
	var d struct{ ID string }
	if first == nil || json.Unmarshal(first, &d) != nil {
		return
	}
	c.made = append(c.made, d.ID)
	if c.turn%5 == 0 {
		if again := c.post(path, key, raw, 201); again != nil && !bytes.Equal(first, again) {
			c.t.Errorf("the second answer for %s is another:\n%s\n%s", key, first, again)
		}
	}
}

// ring delivers an event, every fifth time twice.
func (c *loadClient) ring() {
	key := fmt.Sprintf("e%d-%d", c.n, c.turn)
	times := 1
	if c.turn%5 == 0 {
		times = 2
	}
	for n := range times {
		answer := c.post("/hooks/bell", key, []byte(`{"who":"me"}`), 202)
		var d struct {
			Key       string
			Duplicate bool
		}
		if answer == nil {
			return
		}
		if err := json.Unmarshal(answer, &d); err != nil || d.Duplicate != (n > 0) {
			c.t.Errorf("delivery %s, time %d: %s", key, n+1, answer)
			return
		}
		if n == 0 {
			c.delivered = append(c.delivered, d.Key)
		}
	}
}

// follow reads the stream of changes for a moment and hangs up.
func (c *loadClient) follow() {
	ctx, hangUp := context.WithTimeout(context.Background(), time.Duration(rand.N(100))*time.Millisecond)
	defer hangUp()
	req := c.request(ctx, http.MethodGet, "/events", nil)
	resp, err := c.http.Do(req)
	if err != nil {
		return // it hung up before the answer
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func (c *loadClient) request(ctx context.Context, method, path string, body []byte) *http.Request {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		panic(err) // the paths are ours
	}
	token := c.token
	if strings.HasPrefix(path, "/hooks/") {
		token = c.source
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

func (c *loadClient) post(path, key string, body []byte, status int) []byte {
	req := c.request(context.Background(), http.MethodPost, path, body)
	req.Header.Set("Idempotency-Key", key)
	return c.do(req, status)
}

func (c *loadClient) want(method, path, body string, statuses ...int) {
	c.do(c.request(context.Background(), method, path, []byte(body)), statuses...)
}

// do returns the body of an answer that has one of the statuses, else nil.
func (c *loadClient) do(req *http.Request, statuses ...int) []byte {
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Errorf("%s %s: %v", req.Method, req.URL.Path, err)
		return nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || !slices.Contains(statuses, resp.StatusCode) {
		c.t.Errorf("%s %s: %s, want %v (%v): %.300s", req.Method, req.URL.Path, resp.Status, statuses, err, answer)
		return nil
	}
	return answer
}
