package api

import (
	"fmt"
	"strings"
	"testing"
)

// sweepable echoes what a sweep sets.
const sweepable = `{"lattice": "sweepable", "inputs": {"bins": {"type": "integer", "minimum": 16, "default": 1024}, "alg": {"type": "string", "default": "lm"}},
	"electrons": {"work": {"run": ["value", "${{ {\"bins\": inputs.bins} }}"]}}}`

func (h *house) listed(filter string) int {
	h.t.Helper()
	items, _ := h.do("GET /v1/dispatches?limit=500&" + filter).want(200).field("items").([]any)
	return len(items)
}

func TestSweep(t *testing.T) {
	h := newHouse(t)
	t.Run("a_dry_run_stores_nothing", func(t *testing.T) {
		a := h.do("POST /v1/sweeps?dry_run=1", `{"lattice": `+sweepable+`, "grid": {"bins": [16, 32], "alg": ["a", "b", "c"]}}`).want(200)
		if a.field("count") != 6.0 || a.field("items.1.inputs.bins") != 16.0 || a.text("items.1.inputs.alg") != "b" || strings.Contains(string(a.body), `"id"`) {
			t.Errorf("%s", a.body)
		}
		if h.listed("") != 0 || len(h.do("GET /v1/lattices").want(200).field("items").([]any)) != 0 {
			t.Error("something is stored")
		}
	})
	t.Run("makes_all_and_they_run_under_one_label", func(t *testing.T) {
		a := h.do("POST /v1/sweeps", `{"lattice": `+sweepable+`, "inputs": {"alg": "x"}, "grid": {"bins": [16, 32, 64]},
			"name": "fit", "labels": {"who": "me"}, "note": "tonight", "max_in_flight": 1}`).want(201)
		if a.text("label") != "sweep=fit" || a.field("count") != 3.0 || a.field("max_in_flight") != 1.0 || a.field("items.2.number") != 3.0 || a.field("items.2.inputs.bins") != 64.0 {
			t.Errorf("%s", a.body)
		}
		for i, bins := range []int{16, 32, 64} {
			d := h.ended(a.text(fmt.Sprintf("items.%d.id", i)))
			if d.text("status") != "completed" || d.field("result.work.bins") != float64(bins) || d.text("labels.who") != "me" || d.text("note") != "tonight" || d.text("inputs.alg") != "x" {
				t.Errorf("%s", d.body)
			}
		}
		if h.listed("label=sweep=fit") != 3 {
			t.Error("the label doesn't find them")
		}
	})
	t.Run("redispatches_over_a_list", func(t *testing.T) {
		a := h.do("POST /v1/sweeps", `{"dispatch_id": "2", "list": [{"alg": "p"}, {"alg": "q", "bins": 100}]}`).want(201)
		d := h.ended(a.text("items.0.id"))
		if !strings.HasPrefix(a.text("label"), "sweep=sweepable-") || d.field("inputs.bins") != 32.0 || d.text("inputs.alg") != "p" || d.text("parent_id") == "" {
			t.Errorf("%s %s", a.body, d.body)
		}
	})
	t.Run("a_key_makes_it_once", func(t *testing.T) {
		before := h.listed("")
		body := `{"lattice": ` + sweepable + `, "grid": {"bins": [16, 32]}}`
		first := h.do("POST /v1/sweeps", "Idempotency-Key: k", body).want(201)
		again := h.do("POST /v1/sweeps", "Idempotency-Key: k", body).want(201)
		if string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" || h.listed("") != before+2 {
			t.Errorf("%s\n%s", first.body, again.body)
		}
		h.do("POST /v1/sweeps", "Idempotency-Key: k", `{"lattice": "x", "grid": {"bins": [16, 32]}}`).want(422)
	})
	t.Run("names_what_does_not_fit", func(t *testing.T) {
		for body, want := range map[string]string{
			`{"lattice": ` + sweepable + `, "grid": {"bins": [16, 3, 5]}}`:                "grid.bins[1]: combination 2 of 3 (bins=3): ",
			`{"lattice": ` + sweepable + `, "list": [{}, {"bims": 3}]}`:                   "list[1].bims: combination 2 of 2 (bims=3): ",
			`{"lattice": ` + sweepable + `, "grid": 3}`:                                   "grid: it must be an object",
			`{"lattice": ` + sweepable + `, "grid": {"bins": 3}}`:                         "grid.bins: must be the list of its values",
			`{"lattice": ` + sweepable + `, "list": {"bins": 3}}`:                         "list: must be a list of objects of inputs",
			`{"lattice": ` + sweepable + `, "list": [3]}`:                                 "list[0]: must be an object of inputs",
			`{"lattice": ` + sweepable + `}`:                                              "grid: give a grid or a list of inputs",
			`{"grid": {"bins": [16]}}`:                                                    "lattice: say what to run",
			`{"lattice": "x", "dispatch_id": "1", "grid": {"bins": [16]}}`:                "lattice: give dispatch_id or lattice, not both",
			`{"lattice": 3, "grid": {"bins": [16]}}`:                                      "lattice: must be a document",
			`{"lattice": {"lattice": "y", "electrons": {}}, "grid": {"bins": [16]}}`:      "lattice.electrons: ",
			`{"lattice": ` + sweepable + `, "grid": {"bins": [16]}, "max_in_flight": -1}`: "max_in_flight: must be between 1 and 10000",
		} {
			a := h.do("POST /v1/sweeps", body).want(422)
			if !strings.HasPrefix(a.text("detail"), want) {
				t.Errorf("%s\n got %s\nwant %s", body, a.text("detail"), want)
			}
		}
		h.do("POST /v1/sweeps").want(422)
		h.do("POST /v1/sweeps", `{"dispatch_id": "99", "grid": {"bins": [16]}}`).want(404)
		h.do("POST /v1/sweeps", `{"lattice": `+sweepable+`, "grid": {"bins": [16]}, "name": "fit"}`).want(409)
	})
}

func TestSweep_shows_what_waits(t *testing.T) {
	h := newHouse(t)
	a := h.do("POST /v1/sweeps", `{"lattice": {"lattice": "w", "inputs": {"n": {"type": "integer"}}, "electrons": {"work": {"run": ["hold"]}}},
		"grid": {"n": [1, 2]}, "max_in_flight": 1}`).want(201)
	second := a.text("items.1.id")
	d := h.do("GET /v1/dispatches/" + second).want(200)
	if d.text("status") != "pending" || d.text("waiting.code") != "sweep" || d.text("electrons.0.waiting.code") != "sweep" {
		t.Errorf("%s", d.body)
	}
	if page := h.do("GET /v1/dispatches?status=pending").want(200); page.text("items.0.waiting.code") != "sweep" {
		t.Errorf("%s", page.body)
	}
	if why := h.do("GET /v1/explain?dispatch=" + second).want(200); !strings.Contains(string(why.body), "sweep") {
		t.Errorf("%s", why.body)
	}
	h.do("DELETE /v1/dispatches/" + second).want(409)
	h.do("POST /v1/dispatches/" + a.text("items.0.id") + "/cancel").want(200)
	h.ended(a.text("items.0.id"))
	soon(t, "the next goes", func() bool {
		return h.do("GET /v1/dispatches/"+second).want(200).text("status") == "running"
	})
	h.do("POST /v1/dispatches/" + second + "/cancel").want(200)
	h.ended(second)
}

func TestExplain_names_the_first_of_a_sweep(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", sweepable)
	dir := t.TempDir()
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "t", "kind": "directory", "dir_path": %q, "lattice": "sweepable", "sweep": {"grid": {"bins": [16, 17, 18, 19]}}}`, dir)).want(201)
	f := h.do("POST /v1/triggers/t/fire", fmt.Sprintf(`{"payload": {"path": "%s/x"}}`, dir)).want(201)
	if n := len(f.field("dispatch_ids").([]any)); n != 4 || f.field("inputs.bins") != 16.0 {
		t.Errorf("%s", f.body)
	}
	h.ended(f.text("dispatch_ids.0"))
	a := h.do("GET /v1/explain?path=" + dir + "/x").want(200)
	if !strings.Contains(string(a.body), "4 dispatches of a sweep, the first of them dispatch 1, which completed") {
		t.Errorf("%s", a.body)
	}
	w := h.do("POST /v1/triggers?dry_run=1", `{"name": "u", "kind": "time", "every": "1h", "catch_up": "all", "lattice": "sweepable", "sweep": {"grid": {"bins": [16, 3]}}}`).want(422)
	if !strings.HasPrefix(w.text("detail"), "sweep.grid.bins[1]: combination 2 of 2 (bins=3): ") {
		t.Errorf("%s", w.body)
	}
}
