package api

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"
	"time"
)

var errSick = errors.New("no runner")

func getuid() int { return os.Getuid() }

func TestDispatch_has_the_shape_of_the_contract(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("say", "hi"), `, "labels": {"sample": "7"}, "note": "first"`)
	a := h.ended(id)
	if a.field("number") != 1.0 || a.text("status") != "completed" || a.text("lattice.name") != "one" {
		t.Errorf("%s", a.body)
	}
	for path, want := range map[string]any{
		"reason": nil, "waiting": nil, "cancel_requested_at": nil, "error": nil, "parent_id": nil, "trigger": nil, "firing_id": nil,
		"result.work": "hi", "labels.sample": "7", "note": "first", "keep": false, "run_as": "nobody", "root_id": id,
		"counts.completed": 1.0, "counts.pending": 0.0,
		"electrons.0.name": "work", "electrons.0.status": "completed", "electrons.0.executor": "local", "electrons.0.result": "hi",
		"electrons.0.attempts.0.n": 1.0, "electrons.0.attempts.0.exit_code": 0.0, "electrons.0.attempts.0.signal": nil,
		"electrons.0.reused_from": nil,
	} {
		if got := a.field(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	micros := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	for _, path := range []string{"created_at", "started_at", "ended_at", "electrons.0.attempts.0.ended_at"} {
		if !micros.MatchString(a.text(path)) {
			t.Errorf("%s is %s", path, a.text(path))
		}
	}
	if page := h.do("GET /v1/dispatches").want(200); page.field("items.0.electrons") != nil {
		t.Errorf("lists show electrons: %s", page.body)
	}
}

func TestWait(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("hold"))
	t.Run("gives_the_present_state_when_it_is_over", func(t *testing.T) {
		began := time.Now()
		a := h.do("GET /v1/dispatches/" + id + "?wait=0.2").want(200)
		if s := a.text("status"); s == "completed" || time.Since(began) < 200*time.Millisecond {
			t.Errorf("%s after %s", s, time.Since(began))
		}
	})
	t.Run("answers_at_the_end", func(t *testing.T) {
		got := make(chan answer, 1)
		go func() { got <- h.do("GET /v1/dispatches/" + id + "?wait=60s") }()
		h.actor.end("work")
		if s := (<-got).text("status"); s != "completed" {
			t.Errorf("%s", s)
		}
	})
	t.Run("ends_when_the_daemon_stops", func(t *testing.T) {
		id := h.dispatch(`{"lattice": "other", "electrons": {"other": {"run": ["hold"]}}}`)
		c := h.raw("GET /v1/dispatches/" + id + "?wait=60s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		h.actor.tell("other", "x") // it runs, so the request has had its time to arrive or never waits
		h.stopServing()
		_ = c.SetReadDeadline(time.Now().Add(hung))
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("it went on")
		}
	})
}

func TestDispatch_is_found_by_number_and_by_id(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("say", "x"))
	if got := h.do("GET /v1/dispatches/1").want(200).text("id"); got != id {
		t.Errorf("%s, want %s", got, id)
	}
}

func TestRedispatch_merges_inputs(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(`{"lattice": "two", "inputs": {"a": {"type": "integer", "default": 1}, "b": {"type": "integer", "default": 2}},
		"electrons": {"work": {"run": ["value", "${{ [inputs.a, inputs.b] }}"]}}}`, `, "inputs": {"a": 10, "b": 20}`)
	a := h.do("POST /v1/dispatches/"+id+"/redispatch", `{"inputs": {"b": 21}, "unset": ["a"], "labels": {"x": "y"}}`).want(201)
	if a.field("inputs.a") != 1.0 || a.field("inputs.b") != 21.0 || a.text("parent_id") != id {
		t.Errorf("%s", a.body)
	}
	if b := h.do("POST /v1/dispatches/1/redispatch").want(201); b.field("inputs.a") != 10.0 {
		t.Errorf("without a body: %s", b.body)
	}
	c := h.do("POST /v1/dispatches/1/redispatch", `{"inputs": {"c": 1}}`).want(422)
	if c.text("errors.0.path") != "inputs.c" {
		t.Errorf("%s", c.body)
	}
	if n := h.do("GET /v1/dispatches?parent=1&order=oldest").want(200); len(n.field("items").([]any)) != 2 {
		t.Errorf("%s", n.body)
	}
}

func TestStart_starts_once(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("say", "x"), `, "disable_run": true`)
	if s := h.do("GET /v1/dispatches/" + id).want(200).text("status"); s != "new" {
		t.Fatalf("%s", s)
	}
	for range 2 {
		h.do("POST /v1/dispatches/" + id + "/start").want(200)
	}
	if s := h.ended(id).text("status"); s != "completed" {
		t.Errorf("%s", s)
	}
}

func TestCancel(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("hold"))
	h.actor.tell("work", "x")
	if a := h.do("POST /v1/dispatches/" + id + "/cancel").want(200); a.field("cancel_requested_at") == nil {
		t.Errorf("%s", a.body)
	}
	if s := h.ended(id).text("status"); s != "cancelled" {
		t.Errorf("%s", s)
	}
	t.Run("of_a_finished_one_changes_nothing", func(t *testing.T) {
		done := h.dispatch(one("say", "x"))
		h.ended(done)
		if a := h.do("POST /v1/dispatches/" + done + "/cancel").want(200); a.text("status") != "completed" || a.field("cancel_requested_at") != nil {
			t.Errorf("%s", a.body)
		}
	})
}

func TestPatch_merges(t *testing.T) {
	h := newHouse(t)
	h.dispatch(one("say", "x"), `, "labels": {"a": "1", "b": "2"}, "note": "n"`)
	a := h.do("PATCH /v1/dispatches/1", "Content-Type: application/merge-patch+json", `{"labels": {"a": null, "c": "3"}, "keep": true}`).want(200)
	if a.field("labels.a") != nil || a.text("labels.b") != "2" || a.text("labels.c") != "3" || a.field("keep") != true || a.text("note") != "n" {
		t.Errorf("%s", a.body)
	}
	a = h.do("PATCH /v1/dispatches/1", `{"note": null, "keep": null}`).want(200)
	if a.text("note") != "" || a.field("keep") != false {
		t.Errorf("%s", a.body)
	}
}

func TestDelete(t *testing.T) {
	h := newHouse(t)
	running := h.dispatch(one("hold"))
	h.actor.tell("work", "x")
	if c := h.do("DELETE /v1/dispatches/" + running).want(409).text("code"); c != "dispatch_running" {
		t.Errorf("%s", c)
	}
	h.actor.end("work")
	h.ended(running)
	h.do("DELETE /v1/dispatches/" + running).want(204)
	h.do("GET /v1/dispatches/" + running).want(404)
}

func TestList_filters(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", `{"lattice": "sum", "inputs": {"n": {"type": "integer", "default": 1}}, "electrons": {"work": {"run": ["say", "x"]}}}`).want(201)
	before := time.Now().UTC().Format(time.RFC3339Nano)
	for n := 1; n <= 4; n++ {
		a := h.do("POST /v1/dispatches", fmt.Sprintf(`{"lattice": "sum", "inputs": {"n": %d}, "labels": {"odd": "%t"}, "note": "run %d"}`, n, n%2 == 1, n)).want(201)
		h.ended(a.text("id"))
	}
	h.ended(h.dispatch(one("fail", "3", "no")))
	for query, want := range map[string]int{
		"":                            5,
		"?status=completed":           4,
		"?status=completed,failed":    5,
		"?status=failed&status=new":   1,
		"?lattice=sum":                4,
		"?lattice=nothing":            0,
		"?label=odd%3Dtrue":           2,
		"?input.n=3":                  1,
		"?input.n=3&label=odd%3Dtrue": 1,
		"?q=run%202":                  1,
		"?owner=nobody-at-all":        0,
		"?since=" + before:            5,
		"?until=" + before:            0,
		"?limit=2":                    2,
		"?root=1":                     1,
	} {
		if items := h.do("GET /v1/dispatches" + query).want(200).field("items").([]any); len(items) != want {
			t.Errorf("%s: %d dispatches, want %d", query, len(items), want)
		}
	}
}

func TestList_pages_without_gaps(t *testing.T) {
	h := newHouse(t)
	const all = 7
	for range all {
		h.dispatch(one("say", "x"), `, "disable_run": true`)
	}
	for _, order := range []string{"newest", "oldest"} {
		var numbers []float64
		after := ""
		for {
			a := h.do("GET /v1/dispatches?limit=3&order=" + order + after).want(200)
			for i := range a.field("items").([]any) {
				numbers = append(numbers, a.field(fmt.Sprintf("items.%d.number", i)).(float64))
			}
			if a.field("next") == nil {
				break
			}
			after = "&after=" + a.text("next")
		}
		for i, n := range numbers {
			want := float64(i + 1)
			if order == "newest" {
				want = float64(all - i)
			}
			if n != want || len(numbers) != all {
				t.Fatalf("%s: %v", order, numbers)
			}
		}
	}
}
