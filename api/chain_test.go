package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// step is an inline lattice of one electron that may be told to fail or to hold.
func step(name string, words ...string) string {
	return strings.Replace(one(words...), `"lattice": "one"`, fmt.Sprintf(`"lattice": %q`, name), 1)
}

// following registers a trigger that runs lattice done after ends.
func (h *house) following(name, of, more string) {
	h.t.Helper()
	h.do("POST /v1/lattices", step("done", "say", "done"))
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": %q, "kind": "dispatch", "lattice": "done", "of": %s%s}`, name, of, more)).want(201)
}

// keys are the ids of the dispatches whose ends a trigger has seen, oldest first.
func (h *house) keys(trigger string) (keys []string) {
	h.t.Helper()
	page := decodeAs[storedEvents](h.do("GET /v1/triggers/" + trigger + "/events?limit=500").want(200))
	for _, e := range page.Items {
		keys = append([]string{e.Key}, keys...)
	}
	return keys
}

// seen counts the events of a trigger over all pages.
func (h *house) seen(trigger string) (n int) {
	h.t.Helper()
	for after := ""; ; {
		page := decodeAs[storedEvents](h.do("GET /v1/triggers/" + trigger + "/events?limit=500&after=" + after).want(200))
		n += len(page.Items)
		if after = page.Next; after == "" {
			return n
		}
	}
}

func TestChain_follows_every_way_to_an_end(t *testing.T) {
	h := newHouse(t)
	h.following("good", `{"lattice": "scan"}`, "")
	h.following("bad", `{"lattice": "scan", "status": ["failed", "cancelled"]}`, "")
	completed := h.dispatch(step("scan", "say", "x"))
	h.ended(completed)
	failed := h.dispatch(step("scan", "fail", "1", "x"))
	h.ended(failed)
	running := h.dispatch(step("scan", "hold"))
	soon(t, "running", func() bool { return h.do("GET /v1/dispatches/"+running).text("status") == "running" })
	h.do("POST /v1/dispatches/" + running + "/cancel").want(200)
	h.actor.end("work")
	h.ended(running)
	unborn := h.dispatch(step("scan", "say", "x"), `, "disable_run": true`)
	h.do("POST /v1/dispatches/" + unborn + "/cancel").want(200)
	soon(t, "followed", func() bool { return len(h.keys("bad")) == 3 })
	if got, want := fmt.Sprint(h.keys("bad")), fmt.Sprint([]string{failed, running, unborn}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fmt.Sprint(h.keys("good")); got != fmt.Sprint([]string{completed}) {
		t.Errorf("%s, want %s", got, completed)
	}
	soon(t, "dispatched", func() bool { return h.listed("lattice=done&status=completed") == 4 })

	// What is changed after its end does not come again.
	h.do("PATCH /v1/dispatches/"+completed, `{"note": "seen", "labels": {"a": "b"}}`).want(200)
	last := h.dispatch(step("scan", "say", "x"))
	h.ended(last)
	soon(t, "followed", func() bool { return len(h.keys("good")) > 1 })
	if got := fmt.Sprint(h.keys("good")); got != fmt.Sprint([]string{completed, last}) {
		t.Errorf("%s", got)
	}
	if a := h.do("GET /v1/explain?dispatch=" + completed).want(200); !strings.Contains(a.text("items.0.text"), "; to trigger good it was reported as ended at ") ||
		!strings.Contains(a.text("items.0.text"), "and became dispatch ") {
		t.Errorf("%s", a.text("items.0.text"))
	}
}

func TestChain_explains_a_loop(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", step("a", "say", "x")).want(201)
	h.do("POST /v1/lattices", step("b", "say", "x")).want(201)
	h.do("POST /v1/triggers", `{"name": "a-to-b", "kind": "dispatch", "lattice": "b", "of": {"lattice": "a"}}`).want(201)
	h.do("POST /v1/triggers", `{"name": "b-to-a", "kind": "dispatch", "lattice": "a", "of": {"lattice": "b"}}`).want(201)
	h.dispatch(`"a"`)
	soon(t, "held", func() bool { return h.do("GET /v1/triggers/a-to-b").text("state") == "degraded" })
	if n := h.listed("status=completed"); n != 7 {
		t.Errorf("%d dispatches", n)
	}
	keys := h.keys("a-to-b")
	a := h.do("GET /v1/explain?dispatch=" + keys[len(keys)-1]).want(200)
	if text := a.text("items.0.text"); !strings.Contains(text, "trigger b-to-a made it at ") || !strings.Contains(text, " because of the end of dispatch 6") ||
		!strings.Contains(text, "; to trigger a-to-b it was reported as ended at ") || !strings.HasSuffix(text, "and is held: the trigger seems to feed itself (loop)") {
		t.Errorf("%s", text)
	}
	if a := h.do("POST /v1/triggers?dry_run=1", `{"name": "self", "kind": "dispatch", "lattice": "a", "of": {"lattice": "a"}}`).want(200); !strings.Contains(string(a.body), "loop_possible") {
		t.Errorf("%s", a.body)
	}
}

func TestChain_a_thousand_ends_at_once(t *testing.T) {
	const ends, workers = 1000, 50
	h := newHouse(t)
	h.following("t", `{"lattice": "scan", "status": ["cancelled"]}`, `, "overlap": "allow"`)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range ends / workers {
				id := h.dispatch(step("scan", "say", "x"), `, "disable_run": true`)
				h.do("POST /v1/dispatches/" + id + "/cancel").want(200)
			}
		})
	}
	wg.Wait()
	began := time.Now()
	soon(t, "followed", func() bool { return h.seen("t") == ends })
	t.Logf("all %d ends were followed %d ms after the last", ends, time.Since(began).Milliseconds())
	soon(t, "run", func() bool { return h.listed("lattice=done&status=pending&status=running") == 0 })
	if n := h.listed("lattice=done&status=completed"); n != 500 { // a page
		t.Errorf("%d dispatches", n)
	}
}
