package api

import (
	"fmt"
	"strings"
	"testing"
)

// The messages are part of the product: each is compared whole.
func TestWrong_requests_are_told_what_is_wrong(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", `{"lattice": "double", "inputs": {"n": {"type": "integer", "default": 1}}, "electrons": {"work": {"run": ["say", "${{ inputs.n }}"]}}}`).want(201)
	ended := h.dispatch(one("say", "hi"))
	h.ended(ended)
	before := h.log.String()
	for _, c := range []struct {
		name, what string
		more       []string
		status     int
		code, want string
	}{
		{"no_route", "GET /v1/nothing", nil, 404, "no_route", "there is no such route; /openapi.json lists them"},
		{"a_later_route", "GET /v2/dispatches", nil, 404, "no_route", "there is no such route; /openapi.json lists them"},
		{"method", "PUT /v1/dispatches", nil, 405, "method_not_allowed", "this route does not take this method; /openapi.json lists them"},
		{"no_body_of_a_token", "POST /v1/tokens", nil, 422, "invalid", "the body is empty; a JSON object is needed"},
		{"query", "GET /v1/dispatches?stat=running", nil, 422, "invalid", `stat: unknown query parameter; did you mean "status"?`},
		{"what_the_query_lacks", "GET /v1/lattices/one/include", nil, 422, "invalid", "path: is missing"},
		{"status", "GET /v1/dispatches?status=rnning", nil, 422, "invalid", `status: there is no status "rnning"; did you mean "running"?`},
		{"one_of_the_statuses", "GET /v1/dispatches?status=running,done", nil, 422, "invalid", `status: there is no status "done"; known are new, pending, running, completed, failed, cancelled`},
		{"order", "GET /v1/dispatches?order=up", nil, 422, "invalid", `order: must be newest or oldest, not "up"`},
		{"label", "GET /v1/dispatches?label=x", nil, 422, "invalid", `label: must be label=KEY=VALUE, not "x"`},
		{"since", "GET /v1/dispatches?since=yesterday", nil, 422, "invalid", `since: must be an instant such as 2026-03-01T12:00:00Z, not "yesterday"`},
		{"limit", "GET /v1/dispatches?limit=9000", nil, 422, "invalid", "limit: must be between 1 and 500, not 9000"},
		{"cursor", "GET /v1/dispatches?after=xyz", nil, 422, "invalid_cursor", "the page cursor is not valid; take the one of the last answer's next"},
		{"input_filter", "GET /v1/dispatches?input.=1", nil, 422, "invalid", "input.: must be input.NAME=VALUE, each name once"},
		{"wait", "GET /v1/dispatches/1?wait=2m", nil, 422, "invalid", "wait: must be between 0s and 60s, not 2m"},
		{"electron_status", "GET /v1/dispatches/1/electrons?status=new", nil, 422, "invalid", `status: there is no status "new"; known are pending, running, completed, failed, cancelled, skipped`},
		{"content_type", "POST /v1/dispatches", []string{"Content-Type: text/plain", `{"lattice": "double"}`}, 415, "unsupported_media_type", `the body's Content-Type is "text/plain"; send it as application/json`},
		{"form_of_curl", "POST /v1/lattices", []string{"Content-Type: application/x-www-form-urlencoded", `{"lattice": "double"}`}, 415, "unsupported_media_type", `the body's Content-Type is "application/x-www-form-urlencoded"; send it as application/json or application/yaml`},
		{"no_body", "POST /v1/dispatches", nil, 422, "invalid", "the body is empty; a JSON object is needed"},
		{"no_json", "POST /v1/dispatches", []string{"Content-Type: application/json", "lattice=double"}, 422, "invalid", "not JSON: invalid character 'l' looking for beginning of value"},
		{"unknown_key", "POST /v1/dispatches", []string{`{"lattice": "double", "input": {}}`}, 422, "invalid", `input: unknown key; did you mean "inputs"?`},
		{"trailing_data", "POST /v1/dispatches", []string{`{"lattice": "double"} x`}, 422, "invalid", "there is more after the JSON object"},
		{"no_lattice", "POST /v1/dispatches", []string{`{"inputs": {}}`}, 422, "invalid", "lattice: is missing"},
		{"lattice_is_a_number", "POST /v1/dispatches", []string{`{"lattice": 7}`}, 422, "invalid", "lattice: must be a document, or the name or id of a stored lattice"},
		{"inputs_are_a_list", "POST /v1/dispatches", []string{`{"lattice": "double", "inputs": [1]}`}, 422, "invalid", "inputs: must be a JSON object"},
		{"input_of_wrong_type", "POST /v1/dispatches", []string{`{"lattice": "double", "inputs": {"n": "many"}}`}, 422, "invalid", "inputs.n: a whole number is expected, not text"},
		{"unset_without_a_parent", "POST /v1/dispatches", []string{`{"lattice": "double", "unset": ["n"]}`}, 422, "invalid", "unset: unknown key; known are disable_run, inputs, labels, lattice, note"},
		{"no_such_dispatch", "GET /v1/dispatches/99", nil, 404, "not_found", ""},
		{"no_such_electron", "GET /v1/dispatches/1/electrons/wrok", nil, 404, "not_found", ""},
		{"no_such_lattice", "GET /v1/lattices/dubble", nil, 404, "not_found", ""},
		{"no_such_attempt", "GET /v1/dispatches/1/electrons/work/stdout?attempt=7", nil, 404, "not_found", `electron work has no attempt "7"; it has had 1`},
		{"no_such_file", "GET /v1/dispatches/1/electrons/work/files/plot", nil, 404, "not_found", "electron work is completed and has no files"},
		{"no_such_include", "GET /v1/lattices/double/include?path=x", nil, 404, "not_found", `lattice double includes no file "x"; known are `},
		{"no_such_executor", "POST /v1/executors/slurm/check", nil, 404, "not_found", `there is no executor "slurm"; known are local`},
		{"labels_null", "PATCH /v1/dispatches/1", []string{`{"labels": null}`}, 422, "invalid", "labels: must be an object; give the labels to remove as null in it"},
		{"note_is_a_number", "PATCH /v1/dispatches/1", []string{`{"note": 1}`}, 422, "invalid", "note: must be text or null"},
		{"patch_of_status", "PATCH /v1/dispatches/1", []string{`{"status": "completed"}`}, 422, "invalid", "status: unknown key; known are keep, labels, note"},
		{"patch_without_a_body", "PATCH /v1/dispatches/1", nil, 422, "invalid", "the body is empty; a JSON object is needed"},
		{"backlog", "POST /v1/triggers/x/resume", []string{`{"backlog": "drop"}`}, 422, "invalid", `backlog: must be fire or skip, not "drop"`},
		{"payload", "POST /v1/triggers/x/fire", []string{`{"payload": 1}`}, 422, "invalid", "payload: must be a JSON object"},
		{"no_such_trigger", "GET /v1/triggers/x", nil, 404, "not_found", ""},
		{"trigger_of_unknown_kind", "POST /v1/triggers", []string{`{"name": "x", "kind": "directori", "lattice": "double"}`}, 422, "invalid", ""},
		{"event_state", "GET /v1/triggers/x/events?state=open", nil, 422, "invalid", `state: there is no state "open"; known are pending, held, fired, skipped, rejected, dead`},
		{"no_such_state", "GET /v1/triggers?state=broken", nil, 422, "invalid", `state: there is no state "broken"; known are preparing, active, degraded, failing, paused`},
		{"no_such_decision", "GET /v1/triggers/x/firings?decision=held", nil, 422, "invalid", `decision: there is no decision "held"; known are fired, skipped, rejected, dead`},
		{"a_misspelt_lattice", "POST /v1/dispatches", []string{`{"lattice": "duoble"}`}, 404, "not_found", `lattice "duoble": not found; did you mean "double"?`},
		{"a_misspelt_lattice_to_show", "GET /v1/lattices/doubl", nil, 404, "not_found", `lattice "doubl": not found; did you mean "double"?`},
		{"a_misspelt_target", "POST /v1/triggers", []string{`{"name": "x", "kind": "time", "every": "1h", "lattice": "duoble"}`}, 422, "invalid", `lattice: there is no lattice "duoble"; store it first; did you mean "double"?`},
		{"events_of_a_relative_path", "GET /v1/triggers/x/events?path=a.tif", nil, 422, "invalid", `path: must be an absolute path, not "a.tif"`},
		{"dry_run", "POST /v1/triggers?dry_run=perhaps", []string{"{}"}, 422, "invalid", `dry_run: must be 1 or 0, not "perhaps"`},
		{"dryrun", "POST /v1/triggers?dryrun=1", []string{"{}"}, 422, "invalid", `dryrun: unknown query parameter; did you mean "dry_run"?`},
		{"put_of_a_list", "PUT /v1/triggers/x", []string{"[]"}, 422, "invalid", "must be a JSON object"},
		{"put_without_a_body", "PUT /v1/triggers/x", nil, 422, "invalid", "must be a JSON object"},
		{"put_of_another_name", "PUT /v1/triggers/x?dry_run=1", []string{`{"name": "y"}`}, 422, "invalid", `name: is "y", but this is about "x"; to rename a trigger, patch its name`},
		{"put_as_a_merge_patch", "PUT /v1/triggers/x", []string{"Content-Type: application/merge-patch+json", "{}"}, 415, "unsupported_media_type", `the body's Content-Type is "application/merge-patch+json"; send it as application/json`},
		{"payload_and_event", "POST /v1/triggers/x/fire", []string{`{"payload": {}, "event": "e"}`}, 422, "invalid", "event: give payload or event, not both: an event has its own payload"},
		{"fire_of_something_else", "POST /v1/triggers/x/fire", []string{`{"events": ["e"]}`}, 422, "invalid", `events: unknown key; did you mean "event"?`},
		{"test_with_a_body", "POST /v1/triggers/x/test", []string{`{"dry_run": true}`}, 422, "invalid", "this route takes no body"},
		{"test_of_nothing", "POST /v1/triggers/x/test", nil, 404, "not_found", `trigger "x": not found`},
		{"retry_key", "POST /v1/triggers/x/retry", []string{`{"event": "e"}`}, 422, "invalid", `event: unknown key; did you mean "events"?`},
		{"retry_of_fired", "POST /v1/triggers/x/retry", []string{`{"states": ["dead", "fired"]}`}, 422, "invalid", `states[1]: "fired" events are not retried; rejected, dead and skipped ones are`},
		{"retry_of_numbers", "POST /v1/triggers/x/retry", []string{`{"events": [7]}`}, 422, "invalid", "events[0]: must be text, not 7"},
		{"retry_of_nothing", "POST /v1/triggers/x/retry", []string{`{"events": [""]}`}, 422, "invalid", "events[0]: must be the id of an event"},
		{"retry_of_many", "POST /v1/triggers/x/retry", []string{`{"events": [` + strings.Repeat(`"e",`, 1000) + `"e"]}`}, 422, "invalid", "events: names 1001 events; 1000 may be named at a time, or none: then all in the states"},
		{"retry_confirm", "POST /v1/triggers/x/retry", []string{`{"confirm": -1}`}, 422, "invalid", "confirm: must be the number to confirm, not -1"},
		{"retry_confirm_yes", "POST /v1/triggers/x/retry", []string{`{"confirm": true}`}, 422, "invalid", "confirm: must be an integer, not true"},
		{"retry_of_no_trigger", "POST /v1/triggers/x/retry", nil, 404, "not_found", `trigger "x": not found`},
		{"backfill_key", "POST /v1/triggers/x/backfill", []string{`{"form": "2026-01-01T00:00:00Z"}`}, 422, "invalid", "form: unknown key; known are confirm, dry_run, path, since, until"},
		{"backfill_path", "POST /v1/triggers/x/backfill", []string{`{"path": "in"}`}, 422, "invalid", `path: must be an absolute path, not "in"`},
		{"backfill_since", "POST /v1/triggers/x/backfill", []string{`{"since": "March"}`}, 422, "invalid", `since: must be an instant such as 2026-03-01T12:00:00Z, not "March"`},
		{"backfill_backwards", "POST /v1/triggers/x/backfill", []string{`{"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}`}, 422, "invalid", "until: must be later than since"},
		{"backfill_of_no_trigger", "POST /v1/triggers/x/backfill", nil, 404, "not_found", `trigger "x": not found`},
		{"explain_nothing", "GET /v1/explain", nil, 422, "invalid", "path: give a path, or a dispatch"},
		{"explain_both", "GET /v1/explain?path=/a&dispatch=1", nil, 422, "invalid", "dispatch: give a path or a dispatch, not both"},
		{"explain_a_relative_path", "GET /v1/explain?path=scan7.tif", nil, 422, "invalid", `path: must be an absolute path, not "scan7.tif"`},
		{"explain_a_zero_byte", "GET /v1/explain?path=/a%00b", nil, 422, "invalid", "path: no path has a zero byte in it"},
		{"explain_a_dispatch_with_a_trigger", "GET /v1/explain?dispatch=1&trigger=x", nil, 422, "invalid", "trigger: goes with path: a dispatch has one trigger at most"},
		{"explain_no_dispatch", "GET /v1/explain?dispatch=99", nil, 404, "not_found", ""},
		{"explain_with_no_trigger", "GET /v1/explain?path=/a&trigger=x", nil, 404, "not_found", `trigger "x": not found`},
		{"last_event_id", "GET /v1/events", []string{"Last-Event-ID: x"}, 422, "invalid", `Last-Event-ID: must be a sequence number, not "x"`},
		{"idempotency_key", "POST /v1/dispatches", []string{"Idempotency-Key: " + strings.Repeat("k", 300), `{"lattice": "double"}`}, 422, "invalid", "Idempotency-Key: is longer than 255 bytes"},
		{"lattice_is_no_object", "POST /v1/lattices", []string{"[]"}, 422, "invalid", "must be a JSON object"},
		{"lattice_is_empty", "POST /v1/lattices", []string{"Content-Type: application/yaml"}, 422, "invalid", "the body is empty; a lattice document is needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := *h
			h.t = t
			a := h.do(c.what, c.more...).want(c.status)
			if got := a.header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type is %s", got)
			}
			p := decodeAs[Problem](a)
			if p.Code != c.code || c.want != "" && p.Detail != c.want {
				t.Errorf("got  %s %s\nwant %s %s", p.Code, p.Detail, c.code, c.want)
			}
			if p.Detail == "" || p.Status != c.status || p.Type != "urn:latticed:problem:"+c.code {
				t.Errorf("%s", a.body)
			}
		})
	}
	if log := h.log.String(); log != before {
		t.Errorf("refusals were logged: %s", strings.TrimPrefix(log, before))
	}
}

func TestWrong_places_are_named(t *testing.T) {
	h := newHouse(t)
	t.Run("in_a_yaml_lattice", func(t *testing.T) {
		a := h.do("POST /v1/lattices", "Content-Type: application/yaml", "lattice: a\nelectrons:\n  work:\n    rum: [say]\n").want(422)
		e := decodeAs[Problem](a).Errors[0]
		if e.Line != 4 || e.Column != 5 || e.Path != "electrons.work.rum" || e.Code != "unknown_key" {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("in_a_document_within_a_body", func(t *testing.T) {
		a := h.do("POST /v1/dispatches", "{\"note\": \"x\",\n \"lattice\": {\"lattice\": \"a\",\n  \"electrons\": {\"work\": {\"rum\": []}}}}").want(422)
		e := decodeAs[Problem](a).Errors[1]
		if e.Path != "lattice.electrons.work.rum" || e.Line != 3 || e.Column != 26 {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("on_the_first_line_of_a_document", func(t *testing.T) {
		a := h.do("POST /v1/dispatches", `{"lattice": {"lattice": "a", "electrons": {"work": {"rum": []}}}}`).want(422)
		if e := decodeAs[Problem](a).Errors[1]; e.Line != 1 || e.Column != 53 {
			t.Errorf("%s", a.body)
		}
	})
}

func TestWrong_bodies_that_are_too_large_are_refused(t *testing.T) {
	h := newHouse(t)
	for _, route := range []string{"POST /v1/dispatches", "PUT /v1/triggers/x", "POST /v1/triggers/x/retry", "POST /v1/triggers/x/backfill"} {
		a := h.do(route, fmt.Sprintf(`{"lattice": "x", "note": "%s"}`, strings.Repeat("x", maxBody))).want(413)
		if p := decodeAs[Problem](a); p.Code != "too_large" || p.Detail != "the body is over 8388608 bytes" {
			t.Errorf("%s: %s", route, a.body)
		}
	}
}

func TestWrong_rooms_are_our_fault(t *testing.T) {
	h := newHouse(t)
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	a := h.do("GET /v1/dispatches")
	if a.status < 500 || a.text("code") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if h.log.String() == "" {
		t.Error("nothing was logged")
	}
}
