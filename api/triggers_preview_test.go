package api

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rows counts what is stored, table by table.
func (h *house) rows() map[string]int {
	h.t.Helper()
	out := map[string]int{}
	for _, list := range []string{"triggers", "dispatches", "lattices"} {
		out[list] = len(h.do("GET /v1/" + list + "?limit=500").want(200).field("items").([]any))
	}
	for _, item := range h.do("GET /v1/triggers?limit=500").field("items").([]any) {
		t := item.(map[string]any)
		for _, list := range []string{"events", "firings"} {
			out[list] += len(h.do(fmt.Sprintf("GET /v1/triggers/%s/%s?limit=500", t["id"], list)).want(200).field("items").([]any))
		}
		out["revisions"] += int(t["revision"].(float64))
	}
	return out
}

// unchanged fails when do stores anything.
func (h *house) unchanged(do func()) {
	h.t.Helper()
	before, seq := h.rows(), h.store.Seq()
	do()
	if now := h.store.Seq(); now != seq {
		h.t.Errorf("something was stored: sequence %d, was %d", now, seq)
	}
	if now := h.rows(); fmt.Sprint(now) != fmt.Sprint(before) {
		h.t.Errorf("something was stored: %v, was %v", now, before)
	}
}

// lists are all there and none is null.
func (a answer) wantPreview() answer {
	a.t.Helper()
	a.want(200)
	for _, list := range []string{"next", "would_fire", "settling", "ignored", "warnings"} {
		if _, ok := a.field(list).([]any); !ok {
			a.t.Fatalf("%s is no list: %s", list, a.body)
		}
	}
	for _, n := range []string{"would_fire", "settling", "ignored"} {
		if _, ok := a.field("counts." + n).(float64); !ok {
			a.t.Fatalf("counts.%s is no number: %s", n, a.body)
		}
	}
	if !strings.Contains(string(a.body), `"catch_up":`) {
		a.t.Fatalf("catch_up is missing: %s", a.body)
	}
	return a
}

func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// old makes files look as if nobody had touched them for long.
func old(t *testing.T, dir string, names ...string) {
	t.Helper()
	write(t, dir, names...)
	for _, name := range names {
		past := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name), past, past); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPreview_of_a_folder_lists_what_would_fire_and_stores_nothing(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	old(t, dir, "one.dat", "two.dat", "notes.txt")
	spec := fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "existing": "fire", "settle": "10ms", "include": ["*.dat"], "inputs": {"file": "${{ event.name }}"}}`, dir)
	h.unchanged(func() {
		for _, route := range []string{"POST /v1/triggers?dry_run=true", "PUT /v1/triggers/in?dry_run=1"} {
			soon(t, "quiet", func() bool { // the change time can't be set back
				return h.do(route, spec).wantPreview().field("counts.would_fire") == 2.0
			})
			p := h.do(route, spec).wantPreview()
			if p.text("would_fire.0.inputs.file") != "one.dat" || p.text("would_fire.1.inputs.file") != "two.dat" || p.field("catch_up") != nil {
				t.Errorf("%s: %s", route, p.body)
			}
			if p.field("counts.ignored") != 1.0 || p.text("ignored.0.reason") == "" || !strings.Contains(p.text("ignored.0.key"), "notes.txt") {
				t.Errorf("%s: %s", route, p.body)
			}
		}
	})
}

func TestPreview_says_that_what_is_there_is_only_supposed_to_come(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	write(t, dir, "scan.tif")
	spec := fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "settle": "1h"}`, dir)
	p := h.do("POST /v1/triggers?dry_run=1", spec).wantPreview()
	if p.field("as_if_new") != true || p.field("timezone") != nil || p.field("counts.settling") != 1.0 || p.text("warnings.1.code") != "existing_ignored" {
		t.Errorf("%s", p.body)
	}
	h.do("POST /v1/triggers", spec).want(201)
	p = h.do("POST /v1/triggers/in/test").wantPreview()
	if p.field("as_if_new") != false || p.field("counts.settling") != 0.0 || p.text("ignored.0.reason") != "existing: was there before the trigger" {
		t.Errorf("%s", p.body)
	}
}

func TestPreview_of_the_clock_names_the_next_ten_instants(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.unchanged(func() {
		p := h.do("POST /v1/triggers?dry_run=1", `{"name": "t", "kind": "time", "lattice": "work", "every": "1h"}`).wantPreview()
		next := p.field("next").([]any)
		if len(next) != 10 || len(p.field("warnings").([]any)) == 0 || p.text("timezone") == "" || p.field("as_if_new") != false {
			t.Fatalf("%s", p.body)
		}
		for i := 1; i < len(next); i++ {
			if next[i-1].(string) >= next[i].(string) {
				t.Errorf("%s", p.body)
			}
		}
	})
}

func TestPreview_is_refused_as_the_change_would_be(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.do("POST /v1/triggers", `{"name": "nightly", "kind": "time", "lattice": "work", "time_gap": 3600}`).want(201)
	spec := `{"name": "t", "kind": "time", "lattice": "work", "time_gap": 3600}`
	id := h.do("POST /v1/triggers", spec).want(201).text("id")
	h.unchanged(func() {
		if a := h.do("POST /v1/triggers?dry_run=1", spec).want(409); a.text("code") != "name_taken" {
			t.Errorf("%s", a.body)
		}
		for _, c := range [][3]string{
			{"t", "unchanged", spec},
			{"t", "revised", `{"kind": "time", "lattice": "work", "time_gap": 60}`},
			{id, "revised", `{"name": null, "kind": "time", "lattice": "work", "time_gap": 60}`},
			{"u", "created", `{"kind": "time", "lattice": "work", "time_gap": 60}`},
		} {
			if p := h.do("PUT /v1/triggers/"+c[0]+"?dry_run=1", c[2]).wantPreview(); p.text("change") != c[1] {
				t.Errorf("%s: %s", c, p.body)
			}
		}
		for route, more := range map[string]string{
			"POST /v1/triggers?dry_run=1":     `{"name": "u", "kind": "time", "lattice": "work", "time_gap": "soon"}`,
			"PUT /v1/triggers/u?dry_run=1":    `{"kind": "time", "lattice": "work", "time_gap": "soon"}`,
			"PUT /v1/triggers/t?dry_run=true": `{"kind": "time", "lattice": "work", "time_gap": "soon"}`,
			"PATCH /v1/triggers/t?dry_run=1":  `{"time_gap": "soon"}`,
		} {
			if a := h.do(route, more).want(422); a.text("errors.0.path") != "time_gap" {
				t.Errorf("%s: %s", route, a.body)
			}
		}
		if a := h.do("POST /v1/triggers?dry_run=1", `{"name": "u", "kind": "time", "lattice": "worc", "time_gap": 60}`).want(422); a.text("errors.0.path") != "lattice" {
			t.Errorf("%s", a.body)
		}
		if a := h.do("PATCH /v1/triggers/nihgtly?dry_run=1", `{"time_gap": 60}`).want(404); a.text("detail") != `trigger "nihgtly": not found; did you mean "nightly"?` {
			t.Errorf("%s", a.body)
		}
	})
}

func TestPreview_of_an_edit_and_of_a_trigger_as_it_is(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.do("POST /v1/triggers", `{"name": "t", "kind": "time", "lattice": "work", "every": "1h"}`).want(201)
	h.unchanged(func() {
		for _, p := range []answer{h.do("PATCH /v1/triggers/t?dry_run=1", `{"every": "2h"}`), h.do("POST /v1/triggers/t/test")} {
			if next := p.wantPreview().field("next").([]any); len(next) != 10 {
				t.Errorf("%s", p.body)
			}
		}
	})
}

func TestTest_of_a_folder_tells_what_is_settling(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "settle": "1h"}`, dir)).want(201)
	write(t, dir, "scan.tif")
	h.unchanged(func() {
		p := h.do("POST /v1/triggers/in/test").wantPreview()
		if p.field("counts.settling") != 1.0 || !strings.Contains(p.text("settling.0.key"), "scan.tif") || p.text("settling.0.why") == "" || p.text("settling.0.until") == "" {
			t.Errorf("%s", p.body)
		}
	})
}
