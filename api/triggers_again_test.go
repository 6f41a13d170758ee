package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// pickyLattice takes a number only: a text is rejected.
const pickyLattice = `{"lattice": "picky", "inputs": {"n": {"type": "integer", "default": 1}}, "electrons": {"work": {"run": ["say", "${{ inputs.n }}"]}}}`

// rejecting makes a trigger with as many rejected events as asked for.
func (h *house) rejecting(events int) string {
	h.t.Helper()
	h.do("POST /v1/lattices", pickyLattice).want(201)
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "picky", "dir_path": %q, "inputs": {"n": "${{ event.size }}"}}`, h.t.TempDir())).want(201)
	for range events {
		if d := h.do("POST /v1/triggers/in/fire", `{"payload": {"size": "many"}}`).want(201).text("decision"); d != "rejected" {
			h.t.Fatalf("%s", d)
		}
	}
	return "in"
}

func (h *house) count(list string) int {
	h.t.Helper()
	return len(h.do("GET " + list).want(200).field("items").([]any))
}

func TestRetry_brings_rejected_events_again_once(t *testing.T) {
	h := newHouse(t)
	h.rejecting(3)
	if n := h.do("POST /v1/triggers/in/retry").want(200).field("retried"); n != 3.0 {
		t.Fatalf("%v", n)
	}
	soon(t, "decided", func() bool { return h.count("/v1/triggers/in/events?state=rejected&limit=500") == 6 })
	first := h.do("GET /v1/triggers/in/events?state=rejected&limit=500").field("items").([]any)[5].(map[string]any)["id"]
	// What was retried is not retried again, only what came of it.
	if n := h.do("POST /v1/triggers/in/retry", fmt.Sprintf(`{"events": [%q]}`, first)).want(200).field("retried"); n != 0.0 {
		t.Errorf("%v", n)
	}
	if n := h.do("POST /v1/triggers/in/retry").want(200).field("retried"); n != 3.0 {
		t.Errorf("%v", n)
	}
	if n := h.do("POST /v1/triggers/in/retry", `{"states": ["skipped"]}`).want(200).field("retried"); n != 0.0 {
		t.Errorf("%v", n)
	}
	h.do("POST /v1/triggers/in/retry", `{"events": ["0190a000-0000-7000-8000-000000000000"]}`).want(404)
}

func TestRetry_dry_run_tells_and_changes_nothing(t *testing.T) {
	h := newHouse(t)
	h.rejecting(3)
	a := h.do("POST /v1/triggers/in/retry", "Idempotency-Key: k", `{"dry_run": true}`).want(200)
	if a.field("retried") != 3.0 || a.field("preview.counts.would_fire") != 0.0 || a.field("preview.counts.ignored") != 3.0 ||
		!strings.HasPrefix(a.text("preview.ignored.0.reason"), "rejected: ") || a.text("preview.change") != "unchanged" {
		t.Errorf("%s", a.body)
	}
	if n := h.count("/v1/triggers/in/events?limit=500"); n != 3 {
		t.Errorf("%d events", n)
	}
	if got := h.trail(); strings.Contains(strings.Join(got, " "), "RetryEvents") {
		t.Error(got)
	}
	if a := h.do("POST /v1/triggers/in/retry", "Idempotency-Key: k", "{}").want(200); a.field("retried") != 3.0 || a.field("preview") != nil {
		t.Errorf("%s", a.body)
	}
	h.do("POST /v1/triggers/nothing/retry", `{"dry_run": true}`).want(404)
}

func TestEvents_that_are_named_and_not_there_are_not_found(t *testing.T) {
	h := newHouse(t)
	h.rejecting(0)
	const want = "event \"nothing\": not found among those of trigger in; `latticed trigger events in --ids` lists them"
	for route, body := range map[string]string{"fire": `{"event": "nothing"}`, "retry": `{"events": ["nothing"]}`} {
		if a := h.do("POST /v1/triggers/in/"+route, body).want(404); a.text("detail") != want || a.text("code") != "not_found" {
			t.Errorf("%s: %s", route, a.body)
		}
	}
}

func TestRetry_of_what_has_fired_or_is_not_decided_is_refused(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "event_names": ["closed"]`)
	for code, state := range map[string]string{"event_fired": "fired", "event_undecided": "held"} {
		if state == "held" {
			h.do("POST /v1/triggers/in/pause").want(200)
		} else {
			h.do("POST /v1/triggers/in/resume", `{"backlog": "skip"}`).want(200)
		}
		write(t, dir, state)
		list := "/v1/triggers/in/events?state=" + state
		soon(t, state, func() bool { return h.count(list) == 1 })
		a := h.do("POST /v1/triggers/in/retry", fmt.Sprintf(`{"events": [%q]}`, h.do("GET "+list).text("items.0.id"))).want(409)
		if a.text("code") != code {
			t.Errorf("%s", a.body)
		}
	}
}

func TestBackfill_of_a_kind_that_has_nothing_is_refused(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.do("POST /v1/triggers", `{"name": "t", "kind": "still", "lattice": "work"}`).want(201)
	if a := h.do("POST /v1/triggers/t/backfill").want(409); a.text("code") != "no_backfill" {
		t.Errorf("%s", a.body)
	}
}

func TestBackfill_of_a_folder_that_is_gone_says_so(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", "")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if a := h.do("POST /v1/triggers/in/backfill").want(409); a.text("code") != "unreadable" || !strings.Contains(a.text("detail"), dir) {
		t.Errorf("%s", a.body)
	}
}

func TestRetry_with_a_key_retries_once(t *testing.T) {
	h := newHouse(t)
	h.rejecting(2)
	a := h.do("POST /v1/triggers/in/retry", "Idempotency-Key: k", "{}").want(200)
	soon(t, "decided", func() bool { return h.count("/v1/triggers/in/events?state=rejected&limit=500") == 4 })
	b := h.do("POST /v1/triggers/in/retry", "Idempotency-Key: k", "{}").want(200)
	if a.field("retried") != 2.0 || string(a.body) != string(b.body) || b.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s %s", a.body, b.body)
	}
	if n := h.count("/v1/triggers/in/events?limit=500"); n != 4 {
		t.Errorf("%d events", n)
	}
	h.do("POST /v1/triggers/in/retry", "Idempotency-Key: k", `{"states": ["dead"]}`).want(422)
}

func TestRetry_with_a_key_waits_for_the_same_request(t *testing.T) {
	h := newHouse(t)
	h.rejecting(20)
	bodies := make(chan string, 8)
	for range cap(bodies) {
		go func() {
			a := h.do("POST /v1/triggers/in/retry", "Idempotency-Key: k", "{}")
			bodies <- fmt.Sprint(a.status, string(a.body))
		}()
	}
	for range cap(bodies) {
		if got := <-bodies; got != "200{\"retried\":20}\n" {
			t.Errorf("%s", got)
		}
	}
}

func TestTurns_are_taken_one_after_the_other(t *testing.T) {
	var all turns
	leave, err := all.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := all.take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.take(late, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	next := make(chan func())
	go func() {
		leave, _ := all.take(t.Context(), "a")
		next <- leave
	}()
	leave()
	(<-next)()
	if len(all.held) != 0 {
		t.Errorf("%v", all.held)
	}
}

func TestRetry_and_backfill_of_many_want_their_number(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	for i := range 1001 {
		old(t, dir, fmt.Sprintf("%04d", i))
	}
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "settle": "10ms", "when": "${{ event.size > 1 }}", "inputs": {"file": "${{ event.name }}"}}`, dir)).want(201)
	soon(t, "quiet", func() bool {
		return h.do("POST /v1/triggers/in/backfill", `{"dry_run": true}`).field("found") == 1001.0
	})
	a := h.do("POST /v1/triggers/in/backfill").want(409)
	if a.text("code") != "confirm_required" || a.field("found") != 1001.0 || !strings.Contains(a.text("detail"), "1001") {
		t.Fatalf("%s", a.body)
	}
	h.unchanged(func() {
		if a := h.do("POST /v1/triggers/in/backfill", `{"dry_run": true}`).want(200); a.field("found") != 1001.0 || a.field("emitted") != 1001.0 || a.field("known") != 0.0 {
			t.Errorf("%s", a.body)
		}
	})
	if a := h.do("POST /v1/triggers/in/backfill", `{"confirm": 1000}`).want(409); a.field("found") != 1001.0 {
		t.Errorf("%s", a.body)
	}
	b := h.do("POST /v1/triggers/in/backfill", "Idempotency-Key: k", `{"confirm": 1001}`).want(200)
	again := h.do("POST /v1/triggers/in/backfill", "Idempotency-Key: k", `{"confirm": 1001}`).want(200)
	if b.field("found") != 1001.0 || string(b.body) != string(again.body) {
		t.Errorf("%s %s", b.body, again.body)
	}
	soon(t, "over", func() bool { // on a busy machine the answer comes before that
		a := h.do("POST /v1/triggers/in/backfill")
		return a.status == 200 && a.field("known") == 1001.0 && a.field("emitted") == 0.0
	})
	skipped := func() bool { return h.do("GET /v1/triggers/in").field("pending") == 0.0 }
	soon(t, "decided", skipped)
	retry := h.do("POST /v1/triggers/in/retry", `{"states": ["skipped"]}`).want(409)
	if retry.text("code") != "confirm_required" || retry.field("found") != 1001.0 {
		t.Errorf("%s", retry.body)
	}
	if n := h.do("POST /v1/triggers/in/retry", `{"states": ["skipped"], "confirm": 1001}`).want(200).field("retried"); n != 1001.0 {
		t.Errorf("%v", n)
	}
	soon(t, "decided", skipped)
}

func TestBackfill_is_narrowed_by_path_and_time(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	old(t, dir, "a.dat", "b.dat")
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "settle": "10ms", "inputs": {"file": "${{ event.name }}"}}`, dir)).want(201)
	soon(t, "quiet", func() bool { return h.do("POST /v1/triggers/in/backfill", `{"dry_run": true}`).field("found") == 2.0 })
	if a := h.do("POST /v1/triggers/in/backfill", fmt.Sprintf(`{"path": "%s/a.dat"}`, dir)).want(200); a.field("found") != 1.0 || a.field("emitted") != 1.0 {
		t.Errorf("%s", a.body)
	}
	if a := h.do("POST /v1/triggers/in/backfill", `{"until": "2020-01-01T00:00:00Z"}`).want(200); a.field("found") != 0.0 {
		t.Errorf("%s", a.body)
	}
	if a := h.do("POST /v1/triggers/in/backfill").want(200); a.field("found") != 2.0 || a.field("known") != 1.0 || a.field("emitted") != 1.0 {
		t.Errorf("%s", a.body)
	}
	if a := h.do("POST /v1/triggers/in/backfill", `{"path": "/elsewhere"}`).want(422); a.text("errors.0.path") != "path" {
		t.Errorf("%s", a.body)
	}
	soon(t, "fired", func() bool { return h.count("/v1/triggers/in/firings?decision=fired") == 2 })
}

func TestFire_takes_an_event_that_waits_or_has_ended(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	dir := t.TempDir()
	h.do("POST /v1/triggers", fmt.Sprintf(`{"name": "in", "kind": "directory", "lattice": "work", "dir_path": %q, "event_names": ["closed"], "inputs": {"file": "${{ event.name }}"}}`, dir)).want(201)
	h.do("POST /v1/triggers/in/pause").want(200)
	write(t, dir, "x.tif")
	soon(t, "held", func() bool { return h.count("/v1/triggers/in/events?state=held") == 1 })
	e := h.do("GET /v1/triggers/in/events").text("items.0.id")
	body := fmt.Sprintf(`{"event": %q}`, e)
	a := h.do("POST /v1/triggers/in/fire", "Idempotency-Key: k", body).want(201)
	b := h.do("POST /v1/triggers/in/fire", "Idempotency-Key: k", body).want(201)
	if a.text("decision") != "fired" || a.text("reason") != "manual" || a.text("event_ids.0") != e || a.text("inputs.file") != "x.tif" || string(a.body) != string(b.body) {
		t.Errorf("%s\n%s", a.body, b.body)
	}
	if got := h.do("GET /v1/triggers/in/events").field("items").([]any); len(got) != 1 {
		t.Errorf("%v", got)
	}
	// It is final now: firing it again is another event with its payload.
	c := h.do("POST /v1/triggers/in/fire", "Idempotency-Key: l", body).want(201)
	d := h.do("POST /v1/triggers/in/fire", "Idempotency-Key: l", body).want(201)
	if c.text("event_ids.0") == e || c.text("inputs.file") != "x.tif" || string(c.body) != string(d.body) {
		t.Errorf("%s\n%s", c.body, d.body)
	}
	if n := h.count("/v1/dispatches?trigger=in"); n != 2 {
		t.Errorf("%d dispatches", n)
	}
	h.do("POST /v1/triggers/in/fire", `{"event": "0190a000-0000-7000-8000-000000000000"}`).want(404)
}

func TestLists_of_a_trigger_are_filtered(t *testing.T) {
	h := newHouse(t)
	h.rejecting(2)
	h.do("POST /v1/triggers", `{"name": "other", "kind": "time", "lattice": "picky", "every": "1h"}`).want(201)
	h.do("POST /v1/triggers/other/pause").want(200)
	for list, want := range map[string]int{
		"/v1/triggers?state=paused":                    1,
		"/v1/triggers?state=failing,preparing":         0,
		"/v1/triggers?kind=time":                       1,
		"/v1/triggers?kind=directory,time":             0,
		"/v1/triggers/in/firings?decision=rejected":    2,
		"/v1/triggers/in/firings?decision=fired":       0,
		"/v1/triggers/in/events?path=/no/such":         0,
		"/v1/triggers/in/events?state=dead,rejected":   2,
		"/v1/triggers/other/firings?decision=rejected": 0,
	} {
		if n := h.count(list); n != want {
			t.Errorf("%s: %d, want %d", list, n, want)
		}
	}
}

func TestEvents_of_a_path_come_in_pages(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.do("POST /v1/triggers", `{"name": "t", "kind": "time", "lattice": "work", "every": "1h"}`).want(201)
	for i := range 5 {
		h.do("POST /v1/triggers/t/fire", fmt.Sprintf(`{"payload": {"path": "/data/a", "n": %d}}`, i)).want(201)
	}
	h.do("POST /v1/triggers/t/fire", `{"payload": {"path": "/data/b"}}`).want(201)
	var seen []string
	next := ""
	for range 4 {
		page := h.do("GET /v1/triggers/t/events?path=/data//a/&state=fired&limit=2" + next).want(200)
		for _, e := range page.field("items").([]any) {
			seen = append(seen, fmt.Sprint(e.(map[string]any)["payload"].(map[string]any)["n"]))
		}
		if page.field("next") == nil {
			break
		}
		next = "&after=" + page.text("next")
	}
	if got := strings.Join(seen, ""); got != "43210" {
		t.Error(got)
	}
}

func TestBackfill_under_way_is_shown_and_says_how_far_it_came_when_an_edit_ends_it(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", `{"lattice": "held", "electrons": {"h": {"run": ["hold"]}}}`).want(201)
	// What runs does not end, so that the rest waits.
	h.do("POST /v1/triggers", `{"name": "t", "kind": "time", "lattice": "held", "every": "1h", "overlap": "queue", "max_in_flight": 1}`).want(201)
	if a := h.do("GET /v1/triggers/t"); decodeAs[map[string]any](a)["backfill"] != nil {
		t.Errorf("%s", a.body)
	}
	now := time.Now().UTC()
	body := fmt.Sprintf(`{"since": %q, "until": %q, "confirm": 4800}`, now.Add(-4800*time.Hour).Format(time.RFC3339), now.Format(time.RFC3339))
	answered := make(chan answer)
	go func() { answered <- h.do("POST /v1/triggers/t/backfill", body) }()
	var shown answer
	soon(t, "shown", func() bool {
		shown = h.do("GET /v1/triggers/t")
		b, _ := decodeAs[map[string]any](shown)["backfill"].(map[string]any)
		n, _ := b["emitted"].(float64)
		return n >= 500
	})
	if shown.field("backfill.found") != 4800.0 || shown.field("backfill.known") != 0.0 {
		t.Errorf("%s", shown.body)
	}
	h.do("PATCH /v1/triggers/t", `{"labels": {"a": "b"}}`).want(200)
	if a := (<-answered).want(409); a.text("code") != "revised" || !strings.Contains(a.text("detail"), "of 4800 events are emitted") {
		t.Errorf("%s", a.body)
	}
	if a := h.do("GET /v1/triggers/t"); decodeAs[map[string]any](a)["backfill"] != nil {
		t.Errorf("%s", a.body)
	}
}
