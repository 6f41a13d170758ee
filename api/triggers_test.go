package api

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const workLattice = `{"lattice": "work", "inputs": {"file": {"type": "string", "default": ""}}, "electrons": {"work": {"run": ["say", "${{ inputs.file }}"]}}}`

func TestTrigger_from_registration_to_removal(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	spec := fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "settle": "100ms", "inputs": {"file": "${{ event.name }}"}}`, dir)
	a := h.do("POST /v1/triggers", spec).want(201)
	if a.text("state") != "active" || a.text("dir_path") != dir || a.field("revision") != 1.0 || a.text("run_as") != "nobody" ||
		a.text("inputs.file") != "${{ event.name }}" || a.field("lag_s") != 0.0 {
		t.Fatalf("%s", a.body)
	}
	if err := os.WriteFile(filepath.Join(dir, "one.dat"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	soon(t, "fired", func() bool { return len(h.do("GET /v1/triggers/in/firings").field("items").([]any)) == 1 })
	f := h.do("GET /v1/triggers/in/firings?limit=1").want(200)
	if f.text("items.0.decision") != "fired" || f.text("items.0.inputs.file") != "one.dat" {
		t.Errorf("%s", f.body)
	}
	e := h.do("GET /v1/triggers/in/events?state=fired").want(200)
	if e.text("items.0.firing_id") != f.text("items.0.id") || e.text("items.0.payload.path") != filepath.Join(dir, "one.dat") || e.text("items.0.kind") != "ready" {
		t.Errorf("%s", e.body)
	}
	d := h.ended(f.text("items.0.dispatch_ids.0"))
	if d.text("trigger") != "in" || d.text("firing_id") != f.text("items.0.id") || d.text("result.work") != "one.dat" {
		t.Errorf("%s", d.body)
	}
	if n := h.do("GET /v1/dispatches?trigger=in").want(200).field("items").([]any); len(n) != 1 {
		t.Errorf("%v", n)
	}
	p := h.do("PATCH /v1/triggers/in", "Content-Type: application/merge-patch+json", `{"settle": "200ms"}`).want(200)
	if p.field("revision") != 2.0 || p.text("settle") != "200ms" {
		t.Errorf("%s", p.body)
	}
	list := h.do("GET /v1/triggers").want(200)
	if list.text("items.0.name") != "in" || list.field("next") != nil {
		t.Errorf("%s", list.body)
	}
	h.do("DELETE /v1/triggers/in").want(204)
	h.do("GET /v1/triggers/in").want(404)
	for _, trigger := range []string{"in", a.text("id")} { // its history stays
		if got := h.do("GET /v1/triggers/" + trigger + "/firings?limit=1").want(200).text("items.0.id"); got != f.text("items.0.id") {
			t.Errorf("firing %q of %s", got, trigger)
		}
		h.do("GET /v1/triggers/" + trigger + "/events").want(200)
	}
	h.do("GET /v1/triggers/never/events").want(404)
}

func TestTrigger_pause_resume_and_fire(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "event_names": ["closed"]}`, dir)).want(201)
	if s := h.do("POST /v1/triggers/in/pause").want(200).text("state"); s != "paused" {
		t.Errorf("%s", s)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	soon(t, "held", func() bool { return len(h.do("GET /v1/triggers/in/events?state=held").field("items").([]any)) == 1 })
	if c := h.do("POST /v1/triggers/in/resume").want(409).text("code"); c != "backlog_required" {
		t.Errorf("%s", c)
	}
	if s := h.do("POST /v1/triggers/in/resume", `{"backlog": "skip"}`).want(200).text("state"); s != "active" {
		t.Errorf("%s", s)
	}
	f := h.do("POST /v1/triggers/in/fire", `{"payload": {"name": "by hand"}}`).want(201)
	if f.text("decision") != "fired" || f.text("dispatch_ids.0") == "" {
		t.Errorf("%s", f.body)
	}
}

func TestTrigger_effective_says_where_values_come_from(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	a := h.do("POST /v1/triggers", `{"name": "t", "kind": "time", "lattice": "work", "time_gap": 3600}`).want(201)
	if a.field("warnings") == nil || a.field("next_at") == nil {
		t.Errorf("%s", a.body)
	}
	e := h.do("GET /v1/triggers/t?effective=1").want(200)
	from := map[string]any{}
	for i := range e.field("effective").([]any) {
		from[e.text(fmt.Sprintf("effective.%d.field", i))] = e.field(fmt.Sprintf("effective.%d.from", i))
	}
	if advice, ok := e.field("advice").([]any); !ok || len(advice) != 0 {
		t.Errorf("%s", e.body)
	}
	if from["time_gap"] != "trigger" || from["overlap"] != "default" {
		t.Errorf("%s", e.body)
	}
	if c := h.do("POST /v1/triggers", `{"name": "t", "kind": "time", "lattice": "work", "time_gap": 3600}`).want(409).text("code"); c != "name_taken" {
		t.Errorf("%s", c)
	}
}

func TestTrigger_targets_are_kept(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(workLattice)
	h.ended(id)
	h.do("POST /v1/triggers", `{"name": "t", "kind": "time", "dispatch_id": "1", "time_gap": 3600}`).want(201)
	if c := h.do("DELETE /v1/dispatches/" + id).want(409).text("code"); c != "dispatch_is_target" {
		t.Errorf("%s", c)
	}
}
