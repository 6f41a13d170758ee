package api

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// explain asks about a path and returns the one explanation there is.
func (h *house) explain(path string, more ...string) answer {
	h.t.Helper()
	a := h.do("GET /v1/explain?path=" + strings.ReplaceAll(path, " ", "%20") + strings.Join(more, "")).want(200)
	if items := a.field("items").([]any); len(items) != 1 {
		h.t.Fatalf("%d explanations: %s", len(items), a.body)
	}
	return a
}

// finds waits until a path stands as it should.
func (h *house) finds(path, state string) answer {
	h.t.Helper()
	soon(h.t, "found "+state+" "+path, func() bool { return h.explain(path).text("items.0.finding.state") == state })
	return h.explain(path)
}

// watching makes a trigger on a new folder; fields is more of its spec.
func (h *house) watching(name, fields string) string {
	h.t.Helper()
	if h.do("GET /v1/lattices/work").status == 404 {
		h.do("POST /v1/lattices", workLattice).want(201)
	}
	dir := h.t.TempDir()
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": %q, "kind": "directory", "lattice": "work", "dir_path": %q, "inputs": {"file": "${{ event.name }}"}%s}`, name, dir, fields)).want(201)
	return dir
}

func (a answer) says(words ...string) {
	a.t.Helper()
	for _, w := range words {
		if text := a.text("items.0.text"); !strings.Contains(text, w) {
			a.t.Errorf("%q is missing in: %s", w, text)
		}
	}
}

func TestExplain_a_file_that_still_grows(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "settle": "1h"`)
	write(t, dir, "scan7.tif")
	a := h.finds(dir+"/scan7.tif", "settling")
	if a.text("items.0.finding.last_change") == "" || a.text("items.0.finding.until") == "" || a.text("items.0.trigger.name") != "in" || a.text("items.0.trigger.state") != "active" ||
		len(a.field("items.0.events").([]any)) != 0 || a.field("items.0.dispatch") != nil {
		t.Errorf("%s", a.body)
	}
	// Also when it was seen first, if the watch was faster than we are.
	a.says("scan7.tif ", " at ", " is not quiet yet: ready at ")
}

func TestExplain_a_file_that_a_glob_leaves_out(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "include": ["*.tif"]`)
	write(t, dir, "notes.txt")
	h.finds(dir+"/notes.txt", "ignored").says("notes.txt is left out", "include")
}

func TestExplain_a_file_that_was_there_before(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice)
	dir := t.TempDir()
	old(t, dir, "old.tif")
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "settle": "10ms"}`, dir)).want(201)
	h.finds(dir+"/old.tif", "existing").says("old.tif was there before the trigger")
}

func TestExplain_a_file_that_is_not_there(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", "")
	h.finds(dir+"/never.tif", "absent").says("never.tif is not there, and was never seen")
}

func TestExplain_a_file_that_ran(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "settle": "50ms"`)
	write(t, dir, "a b.tif")
	path := dir + "/a b.tif"
	h.finds(path, "reported")
	soon(t, "completed", func() bool { return strings.Contains(h.explain(path).text("items.0.text"), "completed") })
	a := h.explain(path)
	a.says(`"a b.tif" was reported as ready at `, " and became dispatch 1, which completed at ")
	if a.text("items.0.events.0.state") != "fired" || a.text("items.0.events.0.firing.decision") != "fired" || a.field("items.0.events.0.firing.events") != 1.0 ||
		a.field("items.0.events.0.dispatches.0.number") != 1.0 || a.text("items.0.events.0.dispatches.0.ended_at") == "" {
		t.Errorf("%s", a.body)
	}
	// And the way back.
	b := h.do("GET /v1/explain?dispatch=1").want(200)
	b.says("dispatch 1 completed at ", "; trigger in made it at ", ` because of "a b.tif" (ready at `)
	if b.text("items.0.dispatch.id") != a.text("items.0.events.0.dispatches.0.id") || b.text("items.0.events.0.id") != a.text("items.0.events.0.id") ||
		b.text("items.0.trigger.name") != "in" || b.field("items.0.finding") != nil {
		t.Errorf("%s", b.body)
	}
	h.do("DELETE /v1/triggers/in").want(204)
	b = h.do("GET /v1/explain?dispatch=1").want(200)
	b.says("; trigger in made it at ")
	if b.text("items.0.trigger.state") != "removed" {
		t.Errorf("%s", b.body)
	}
}

func TestExplain_a_file_whose_dispatch_failed(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", `{"lattice": "work", "inputs": {"file": {"type": "string"}}, "electrons": {"work": {"run": ["fail", "3", "${{ inputs.file }}"]}}}`).want(201)
	dir := h.watching("in", `, "settle": "50ms"`)
	write(t, dir, "bad.tif")
	soon(t, "failed", func() bool { return strings.Contains(h.explain(dir+"/bad.tif").text("items.0.text"), "failed") })
	a := h.explain(dir + "/bad.tif")
	a.says("bad.tif was reported as ready at ", "dispatch 1, which failed at ", ": electron work: exit code 3")
	if a.text("items.0.events.0.dispatches.0.error.electron") != "work" {
		t.Errorf("%s", a.body)
	}
}

func TestExplain_a_file_that_waits_for_another_dispatch(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", `{"lattice": "work", "inputs": {"file": {"type": "string"}}, "electrons": {"work": {"run": ["hold", "${{ inputs.file }}"]}}}`).want(201)
	dir := h.watching("in", `, "settle": "50ms", "overlap": "queue", "max_in_flight": 1`)
	write(t, dir, "1.tif")
	h.finds(dir+"/1.tif", "reported")
	soon(t, "running", func() bool {
		return strings.Contains(h.explain(dir+"/1.tif").text("items.0.text"), "has been running since")
	})
	write(t, dir, "2.tif")
	soon(t, "held", func() bool { return strings.Contains(h.explain(dir+"/2.tif").text("items.0.text"), "is held") })
	a := h.explain(dir + "/2.tif")
	// Pain point 44: what blocks it is named.
	a.says("as many of its dispatches run as may at a time (overlap); dispatch 1 has been running since ")
	if a.field("items.0.events.0.blocked_by.0.number") != 1.0 {
		t.Errorf("%s", a.body)
	}
	if a.text("items.0.events.0.state") != "held" || a.text("items.0.events.0.reason") != "overlap" || a.field("items.0.events.0.firing") != nil || len(a.field("items.0.events.0.dispatches").([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
	h.actor.end("work")
	soon(t, "completed", func() bool { return strings.Contains(h.explain(dir+"/2.tif").text("items.0.text"), "completed") })
}

func TestExplain_a_folder_that_waits_for_its_marker(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "settle": "50ms", "unit": "folder", "depth": 1, "marker": {"all": ["done.txt"]}`)
	write(t, dir, "run1/a.tif")
	a := h.finds(dir+"/run1/a.tif", "waiting")
	a.says("run1", "not complete", "done.txt")
	if a.text("items.0.finding.unit") != filepath.Join(dir, "run1") {
		t.Errorf("%s", a.body)
	}
	h.finds(dir+"/run1", "waiting")
	write(t, dir, "run1/done.txt")
	h.finds(dir+"/run1", "reported")
	soon(t, "completed", func() bool { return strings.Contains(h.explain(dir+"/run1/a.tif").text("items.0.text"), "completed") })
}

func TestExplain_a_path_that_nobody_watches(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", "")
	h.do("POST /v1/triggers", `{"name": "clock", "kind": "time", "lattice": "work", "every": "1h"}`).want(201)
	for _, c := range []struct{ query, hint string }{
		{"path=/elsewhere/x.tif", "no trigger watches /elsewhere/x.tif; the nearest that is watched: " + dir + " (trigger in)"},
		{"path=/elsewhere/x.tif&trigger=in", "trigger in watches " + dir},
		{"path=/elsewhere/x.tif&trigger=clock", ""},
		{"path=" + dir + "/below/x.tif", "no trigger watches " + dir + "/below/x.tif; the nearest that is watched: " + dir + " but not the folders in it (trigger in)"},
	} {
		a := h.do("GET /v1/explain?" + c.query).want(200)
		if asked := strings.Contains(c.query, "trigger="); len(a.field("items").([]any)) != 0 != asked || a.field("next") != nil || a.text("hint") != c.hint {
			t.Errorf("%s: %s", c.query, a.body)
		}
	}
	if a := h.do("GET /v1/explain?path=/x&trigger=on").want(404); a.text("detail") != `trigger "on": not found; did you mean "in"?` {
		t.Errorf("%s", a.body)
	}
}

func TestExplain_answers_for_each_trigger_in_pages(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("c", `, "settle": "1h"`)
	for _, name := range []string{"a", "b"} {
		h.do("POST /v1/triggers", fmt.Sprintf(`{"name": %q, "kind": "directory", "lattice": "work", "dir_path": %q, "exclude": ["*.tif"]}`, name, dir)).want(201)
	}
	write(t, dir, "x.tif")
	one := h.do("GET /v1/explain?limit=2&path=" + dir + "/x.tif").want(200)
	if one.text("items.0.trigger.name") != "a" || one.text("items.1.trigger.name") != "b" || len(one.field("items").([]any)) != 2 {
		t.Fatalf("%s", one.body)
	}
	two := h.do("GET /v1/explain?limit=2&path=" + dir + "/x.tif&after=" + one.text("next")).want(200)
	if two.text("items.0.trigger.name") != "c" || two.field("next") != nil {
		t.Errorf("%s", two.body)
	}
	if a := h.do("GET /v1/explain?path=" + dir + "/x.tif&after=bb").want(200); a.text("items.0.trigger.name") != "c" {
		t.Errorf("a trigger removed meanwhile: %s", a.body)
	}
	if a := h.do("GET /v1/explain?path=" + dir + "/x.tif&after=c").want(200); len(a.field("items").([]any)) != 0 || a.field("hint") != nil {
		t.Errorf("after the last one: %s", a.body)
	}
	if a := h.do("GET /v1/explain?path=" + dir + "/x.tif&after=%3F").want(422); a.text("code") != "invalid_cursor" {
		t.Errorf("%s", a.body)
	}
	h.explain(dir+"/x.tif", "&trigger=b").says("x.tif is left out")
}

func TestExplain_a_file_of_a_trigger_that_fails(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "settle": "1h"`)
	write(t, dir, "x.tif")
	h.finds(dir+"/x.tif", "settling")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	soon(t, "failing", func() bool { return h.do("GET /v1/triggers/in").text("state") == "failing" })
	a := h.explain(dir + "/x.tif")
	a.says("; the trigger is failing: ")
	if a.text("items.0.trigger.reason") == "" {
		t.Errorf("%s", a.body)
	}
}

func TestExplain_a_dispatch_that_no_trigger_made(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("say", "hi"))
	h.ended(id)
	h.do("POST /v1/dispatches/1/redispatch", "{}").want(201)
	h.ended("2")
	a := h.do("GET /v1/explain?dispatch=" + id).want(200)
	a.says("dispatch 1 completed at ", ", no trigger did")
	if a.field("items.0.trigger") != nil || len(a.field("items.0.events").([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
	h.do("GET /v1/explain?dispatch=2").want(200).says("dispatch 2 completed at ", " from dispatch 1; ")
}

func TestExplain_a_dispatch_that_somebody_repeated(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "settle": "50ms"`)
	write(t, dir, "x.tif")
	soon(t, "ran", func() bool { return h.count("/v1/dispatches?status=completed") == 1 })
	h.do("POST /v1/dispatches/1/redispatch", "{}").want(201)
	h.ended("2")
	a := h.do("GET /v1/explain?dispatch=2").want(200)
	a.says(" from dispatch 1; trigger in made that at ", " because of x.tif (ready at ")
	if a.field("items.0.dispatch.number") != 2.0 || a.field("items.0.events.0.dispatches.0.number") != 1.0 {
		t.Errorf("%s", a.body)
	}
}
