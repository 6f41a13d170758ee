package api

import (
	"strings"
	"testing"
)

const couple = `{"lattice": "pair", "inputs": {"n": {"type": "integer", "default": 1}, "m": {"type": "integer", "default": 1}},
	"electrons": {"a": {"run": ["say", "${{ inputs.n }}"]}, "b": {"run": ["say", "b", "${{ inputs.m }}"], "wait_for": ["a"]}}}`

func TestRedispatch_reuses_and_says_why(t *testing.T) {
	h := newHouse(t)
	first := h.do("POST /v1/dispatches", `{"lattice": `+couple+`}`).want(201).text("id")
	h.ended(first)
	const change = `{"inputs": {"m": 2}, "reuse_previous_results": true}`
	plan := h.do("POST /v1/dispatches/1/redispatch?dry_run=true", change).want(200)
	for path, want := range map[string]any{
		"lattice.name": "pair", "inputs.m": 2.0, "electrons.0.name": "a", "electrons.0.action": "reuse",
		"electrons.0.reason": "nothing changed since dispatch 1", "electrons.1.action": "run", "electrons.1.reason": `run[2] was "1", is "2"`,
	} {
		if got := plan.field(path); got != want {
			t.Errorf("%s of the plan is %v, want %v", path, got, want)
		}
	}
	if n := len(h.do("GET /v1/dispatches").field("items").([]any)); n != 1 {
		t.Errorf("a plan has made dispatches: there are %d", n)
	}
	second := h.do("POST /v1/dispatches/1/redispatch", "Idempotency-Key: k", change).want(201)
	if again := h.do("POST /v1/dispatches/1/redispatch", "Idempotency-Key: k", change).want(201); again.text("id") != second.text("id") {
		t.Errorf("the same key made %s and %s", second.text("id"), again.text("id"))
	}
	a := h.ended(second.text("id"))
	for path, want := range map[string]any{
		"status": "completed", "electrons.0.status": "completed", "electrons.0.reused_from": first, "electrons.0.result": "1",
		"electrons.0.reuse": "nothing changed since dispatch 1", "electrons.1.reused_from": nil, "electrons.1.reuse": `run[2] was "1", is "2"`,
	} {
		if got := a.field(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if out := string(h.do("GET /v1/dispatches/2/electrons/a/stdout?follow=1").want(200).body); !strings.HasPrefix(out, "1") {
		t.Errorf("a reused electron wrote %q", out)
	}
	h.do("DELETE /v1/dispatches/1").want(204)
	if out := string(h.do("GET /v1/dispatches/2/electrons/a/stdout").want(200).body); !strings.HasPrefix(out, "1") {
		t.Errorf("without its parent it wrote %q", out)
	}
}

func TestRedispatch_replaces_electrons_and_lattices(t *testing.T) {
	h := newHouse(t)
	h.ended(h.do("POST /v1/dispatches", `{"lattice": `+couple+`}`).want(201).text("id"))
	a := h.do("POST /v1/dispatches/1/redispatch", `{"replace_electrons": {"b": {"run": ["say", "other"]}}}`).want(201)
	if out := h.ended(a.text("id")); out.text("result.b") != "other" || out.text("lattice.name") != "pair" {
		t.Errorf("%s", out.body)
	}
	if n := len(h.do("GET /v1/lattices").field("items").([]any)); n != 0 {
		t.Errorf("%d lattices have a name", n)
	}
	other := strings.Replace(couple, `["say", "b", "${{ inputs.m }}"]`, `["say", "c"]`, 1)
	a = h.do("POST /v1/dispatches/1/redispatch", `{"lattice": `+other+`, "replace_electrons": {"a": {"run": ["say", "x"]}}}`).want(201)
	if out := h.ended(a.text("id")); out.text("result.b") != "c" {
		t.Errorf("%s", out.body)
	}
	for _, c := range []struct{ body, path, said string }{
		{`{"replace_electrons": {"bb": {"run": ["say"]}}}`, "replace_electrons.bb", "there is no electron"},
		{`{"replace_electrons": {"b": {"runn": ["say"]}}}`, "replace_electrons.b.runn", "did you mean run?"},
		{`{"replace_electrons": {"b": ["say"]}}`, "replace_electrons.b", "must be a JSON object"},
		{`{"lattice": {"lattice": "x", "electrons": {"a": {"run": ["say"], "timeou": "1s"}}}}`, "lattice.electrons.a.timeou", "did you mean timeout?"},
		{`{"lattice": {"lattice": "x", "inputs": {"n": {}}, "electrons": {"a": {"run": ["say"]}}}}`, "inputs.m", "it is one of dispatch 1: unset it"},
		{`{"lattice": 1}`, "lattice", "must be a document"},
	} {
		for _, route := range []string{"redispatch", "redispatch?dry_run=true"} {
			e := h.do("POST /v1/dispatches/1/"+route, c.body).want(422)
			if e.text("errors.0.path") != c.path || !strings.Contains(e.text("errors.0.message"), c.said) {
				t.Errorf("%s %s gives %s", route, c.body, e.body)
			}
		}
	}
	h.do("POST /v1/dispatches/1/redispatch", `{"lattice": "nothing"}`).want(404)
	h.do("POST /v1/dispatches/99/redispatch?dry_run=true", `{}`).want(404)
}

func TestCancel_of_electrons(t *testing.T) {
	h := newHouse(t)
	id := h.do("POST /v1/dispatches", `{"lattice": {"lattice": "two", "electrons": {"a": {"run": ["hold"]}, "b": {"run": ["say", "b"], "wait_for": ["a"]}, "c": {"run": ["say", "c"]}}}}`).want(201).text("id")
	soon(t, "a runs", func() bool { return h.do("GET /v1/dispatches/"+id).text("electrons.0.status") == "running" })
	e := h.do("POST /v1/dispatches/1/cancel", `{"electrons": ["aa"]}`).want(422)
	if e.text("errors.0.path") != "electrons[0]" {
		t.Errorf("%s", e.body)
	}
	h.do("POST /v1/dispatches/1/cancel", `{"electrons": []}`).want(422)
	h.do("POST /v1/dispatches/1/cancel", `{"electrons": ["a"]}`).want(200)
	a := h.ended(id)
	for path, want := range map[string]any{
		"status": "cancelled", "cancel_requested_at": nil, "electrons.0.status": "cancelled", "electrons.1.status": "cancelled", "electrons.2.status": "completed",
	} {
		if got := a.field(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	h.do("POST /v1/dispatches/1/cancel", `{"electrons": ["a"]}`).want(200)
}
