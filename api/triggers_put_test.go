package api

import (
	"strings"
	"testing"
)

func TestPut_creates_then_revises_then_leaves_alone(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	spec := `{"kind": "time", "lattice": "work", "every": "1h"}`
	a := h.do("PUT /v1/triggers/nightly", spec).want(201)
	if a.text("name") != "nightly" || a.field("revision") != 1.0 || a.text("every") != "1h" || len(a.field("warnings").([]any)) == 0 {
		t.Errorf("%s", a.body)
	}
	h.unchanged(func() {
		if a := h.do("PUT /v1/triggers/nightly", spec).want(200); a.field("revision") != 1.0 {
			t.Errorf("%s", a.body)
		}
	})
	b := h.do("PUT /v1/triggers/nightly", `{"name": "nightly", "kind": "time", "lattice": "work", "every": "2h"}`).want(200)
	if b.field("revision") != 2.0 || b.text("id") != a.text("id") || b.text("every") != "2h" {
		t.Errorf("%s", b.body)
	}
	c := h.do("PUT /v1/triggers/nightly", `{"kind": "time", "lattice": "work", "cron": "0 3 * * *"}`).want(200)
	if c.field("revision") != 3.0 || strings.Contains(string(c.body), `"every"`) {
		t.Errorf("what the body leaves out stays: %s", c.body)
	}
}

func TestPut_is_refused_with_the_place(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.do("PUT /v1/triggers/t", `{"kind": "time", "lattice": "work", "every": "1h"}`).want(201)
	h.unchanged(func() {
		for _, c := range []struct{ name, body, path string }{
			{"t", `{"kind": "time", "lattice": "work", "every": "1h", "evry": "1h"}`, "evry"},
			{"t", `{"kind": "directory", "lattice": "work", "dir_path": "/tmp"}`, "kind"},
			{"t", `{"name": "u", "kind": "time", "lattice": "work", "every": "1h"}`, "name"},
			{"new", `{"kind": "tim", "lattice": "work", "every": "1h"}`, "kind"},
			{"no%20name", `{"kind": "time", "lattice": "work", "every": "1h"}`, "name"},
		} {
			a := h.do("PUT /v1/triggers/"+c.name, c.body).want(422)
			if a.text("errors.0.path") != c.path {
				t.Errorf("%s: %s", c.name, a.body)
			}
		}
	})
}

func TestPut_with_a_key_is_done_once(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	first := `{"kind": "time", "lattice": "work", "every": "1h"}`
	for _, c := range []struct {
		key, body string
		status    int
	}{
		{"create", first, 201},
		{"same", first, 200},
		{"revise", `{"kind": "time", "lattice": "work", "every": "2h"}`, 200},
	} {
		a := h.do("PUT /v1/triggers/t", "Idempotency-Key: "+c.key, c.body).want(c.status)
		b := h.do("PUT /v1/triggers/t", "Idempotency-Key: "+c.key, c.body).want(c.status)
		if b.header.Get("Idempotency-Replayed") != "true" || string(a.body) != string(b.body) {
			t.Errorf("%s: %v\n%s\n%s", c.key, b.header, a.body, b.body)
		}
	}
	if r := h.do("GET /v1/triggers/t").field("revision"); r != 2.0 {
		t.Errorf("revision %v", r)
	}
	h.do("PUT /v1/triggers/t", "Idempotency-Key: create", `{"kind": "time", "lattice": "work", "every": "9h"}`).want(422)
}
