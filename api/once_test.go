package api

import (
	"sync"
	"testing"
)

func TestOnce_a_repeated_request_gets_the_first_answer(t *testing.T) {
	h := newHouse(t)
	body := `{"lattice": ` + one("say", "x") + `, "disable_run": true}`
	first := h.do("POST /v1/dispatches", "Idempotency-Key: k1", body).want(201)
	again := h.do("POST /v1/dispatches", "Idempotency-Key: k1", body).want(201)
	if again.text("id") != first.text("id") || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	if string(again.body) != string(first.body) {
		t.Errorf("the answers differ:\n%s\n%s", first.body, again.body)
	}
	t.Run("another_body_is_refused", func(t *testing.T) {
		if c := h.do("POST /v1/dispatches", "Idempotency-Key: k1", `{"lattice": "x"}`).want(422).text("code"); c != "idempotency_key_reused" {
			t.Errorf("%s", c)
		}
	})
	t.Run("another_key_is_another_request", func(t *testing.T) {
		if id := h.do("POST /v1/dispatches", "Idempotency-Key: k2", body).want(201).text("id"); id == first.text("id") {
			t.Error("it was taken for the same")
		}
	})
	t.Run("another_route_is_another_request", func(t *testing.T) {
		r := h.do("POST /v1/dispatches/1/redispatch", "Idempotency-Key: k1", `{"disable_run": true}`).want(201)
		s := h.do("POST /v1/dispatches/1/redispatch", "Idempotency-Key: k1", `{"disable_run": true}`).want(201)
		if r.text("id") != s.text("id") || r.text("parent_id") != first.text("id") {
			t.Errorf("%s\n%s", r.body, s.body)
		}
	})
	t.Run("for_another_dispatch_is_refused", func(t *testing.T) {
		h.do("POST /v1/dispatches/2/redispatch", "Idempotency-Key: k1", `{"disable_run": true}`).want(422)
	})
}

func TestOnce_a_refusal_is_not_kept(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/dispatches", "Idempotency-Key: k", `{"lattice": "later"}`).want(404)
	h.do("POST /v1/lattices", `{"lattice": "later", "electrons": {"work": {"run": ["say"]}}}`).want(201)
	h.do("POST /v1/dispatches", "Idempotency-Key: k", `{"lattice": "later"}`).want(201)
}

func TestOnce_requests_at_the_same_time_make_one_dispatch(t *testing.T) {
	h := newHouse(t)
	body := `{"lattice": ` + one("say", "x") + `}`
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = h.do("POST /v1/dispatches", "Idempotency-Key: k", body).text("id") })
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("%v", ids)
		}
	}
	if n := len(h.do("GET /v1/dispatches").want(200).field("items").([]any)); n != 1 {
		t.Errorf("%d dispatches", n)
	}
}

func TestOnce_lattices_and_triggers(t *testing.T) {
	h := newHouse(t)
	doc := `{"lattice": "one", "electrons": {"work": {"run": ["say", "x"]}}}`
	a := h.do("POST /v1/lattices", "Idempotency-Key: k", doc).want(201)
	b := h.do("POST /v1/lattices", "Idempotency-Key: k", doc).want(201) // not 200: it is the first answer
	if string(a.body) != string(b.body) {
		t.Errorf("%s\n%s", a.body, b.body)
	}
	spec := `{"name": "t", "kind": "time", "lattice": "one", "time_gap": 3600}`
	x := h.do("POST /v1/triggers", "Idempotency-Key: k", spec).want(201)
	y := h.do("POST /v1/triggers", "Idempotency-Key: k", spec).want(201)
	if string(x.body) != string(y.body) || x.text("state") != "active" {
		t.Errorf("%s\n%s", x.body, y.body)
	}
	f := h.do("POST /v1/triggers/t/fire", "Idempotency-Key: k").want(201)
	g := h.do("POST /v1/triggers/t/fire", "Idempotency-Key: k").want(201)
	if string(f.body) != string(g.body) {
		t.Errorf("%s\n%s", f.body, g.body)
	}
}

func TestOnce_the_first_answer_comes_with_its_warnings(t *testing.T) {
	h := newHouse(t)
	body := `{"lattice": {"lattice": "x", "electrons": {"work": {"run": ["say"], "executor": "later"}}}, "disable_run": true}`
	for _, route := range []string{"POST /v1/dispatches", "POST /v1/dispatches/1/redispatch"} {
		first := h.do(route, "Idempotency-Key: k", body).want(201)
		again := h.do(route, "Idempotency-Key: k", body).want(201)
		if first.text("warnings.0.code") != "unknown_executor" || string(first.body) != string(again.body) {
			t.Errorf("%s\n%s", first.body, again.body)
		}
		body = `{"disable_run": true}`
	}
	h.do("POST /v1/lattices", `{"lattice": "one", "inputs": {"n": {"default": 1}}, "electrons": {"work": {"run": ["say"]}}}`).want(201)
	spec := `{"name": "t", "kind": "directory", "lattice": "one", "dir_path": "` + t.TempDir() + `"}`
	first := h.do("POST /v1/triggers", "Idempotency-Key: k", spec).want(201)
	again := h.do("POST /v1/triggers", "Idempotency-Key: k", spec).want(201)
	if len(first.field("warnings").([]any)) == 0 || string(first.body) != string(again.body) {
		t.Errorf("%s\n%s", first.body, again.body)
	}
}
