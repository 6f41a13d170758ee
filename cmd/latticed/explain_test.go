package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/latticed/latticed/api/client"
)

func TestExplain_ends_with_the_next_command_to_type(t *testing.T) {
	scans := &client.TriggerRef{Name: "scans", State: "active"}
	event := func(state string, ds ...*client.ExplainedDispatch) []client.ExplainedEvent {
		return []client.ExplainedEvent{{ID: "e1", State: state, Dispatches: ds}, {ID: "e0", State: "dead"}}
	}
	done, failed := &client.ExplainedDispatch{Number: 7, Status: "completed"}, &client.ExplainedDispatch{Number: 8, Status: "failed"}
	for name, c := range map[string]struct {
		e    client.Explanation
		want string
	}{
		"failed":         {client.Explanation{Trigger: scans, Events: event("fired", done, failed)}, "why it failed: latticed show 8"},
		"completed":      {client.Explanation{Trigger: scans, Events: event("fired", done)}, "all about it: latticed show 7"},
		"a_dispatch":     {client.Explanation{Dispatch: failed}, "why it failed: latticed show 8"},
		"rejected":       {client.Explanation{Trigger: scans, Events: event("rejected")}, "set the trigger right, then: latticed trigger retry scans"},
		"dead":           {client.Explanation{Trigger: scans, Events: event("dead")}, "set the trigger right, then: latticed trigger retry scans"},
		"skipped":        {client.Explanation{Trigger: scans, Events: event("skipped")}, "run it all the same: latticed trigger fire scans --event e1"},
		"held":           {client.Explanation{Trigger: scans, Events: event("held")}, "fire it now: latticed trigger fire scans --event e1"},
		"paused":         {client.Explanation{Trigger: &client.TriggerRef{Name: "scans", State: "paused"}, Events: event("held")}, "let it go on: latticed trigger resume scans --backlog fire"},
		"before_the_day": {client.Explanation{Trigger: scans, Finding: &client.Finding{State: "existing"}}, "make an event of it: latticed trigger backfill scans --path '/in/it'\\''s.txt'"},
		"ignored":        {client.Explanation{Trigger: scans, Finding: &client.Finding{State: "ignored"}}, "the rules of the trigger: latticed trigger show scans --effective"},
		"settling":       {client.Explanation{Trigger: scans, Finding: &client.Finding{State: "settling"}}, ""},
		"nothing":        {client.Explanation{}, ""},
	} {
		if got := nextCommand("/in/it's.txt", c.e); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestExplain_tells_a_dispatch_from_a_path(t *testing.T) {
	for word, want := range map[string]bool{
		"7": true, "0190b5a4-0000-7000-8000-000000000000": true, "./7": false, "/7": false, "a7": false, "7.tif": false,
		"": false, "-7": false, "1234567890123456789012": false,
	} {
		if isDispatch(word) != want {
			t.Errorf("%q", word)
		}
	}
}

func TestExplain_says_nothing_twice(t *testing.T) {
	for _, c := range [][3]string{
		{"waiting", "waits for DONE.txt", "waits for DONE.txt"},
		{"existing", "existing: was there before", "existing: was there before"},
		{"ignored", "not in include", "ignored: not in include"},
		{"absent", "", "absent"},
	} {
		if got := because(c[0], c[1]); got != c[2] {
			t.Errorf("%s, want %s", got, c[2])
		}
	}
}

func TestExplain_names_the_dispatches_that_an_event_waits_for(t *testing.T) {
	e := client.ExplainedEvent{Kind: "ready", State: "held", BlockedBy: []*client.ExplainedDispatch{{ID: "d3", Number: 3, Status: "running"}}}
	rows := tellEvent(e, nil)
	if got := rows[len(rows)-1]; got[0] != "  waits for" || got[1] != "the end of dispatch 3  running" {
		t.Errorf("%q", got)
	}
}

func TestExplain_of_a_dispatch_names_its_event(t *testing.T) {
	e := client.ExplainedEvent{Kind: "ended", State: "fired", Payload: json.RawMessage(`{"number": 7, "status": "failed"}`)}
	if got := tellEvent(e, &client.ExplainedDispatch{})[0][1]; !strings.HasSuffix(got, "  ended  fired  dispatch 7  failed") {
		t.Error(got)
	}
	if got := tellEvent(e, nil)[0][1]; !strings.HasSuffix(got, "  ended  fired") {
		t.Error(got)
	}
}

func TestExplain_names_events_of_databases_and_dispatches(t *testing.T) {
	for _, c := range []struct{ kind, payload, want string }{
		{"ended", `{"number": 7, "status": "failed", "time": "2026-03-29T01:00:00Z"}`, "dispatch 7  failed"},
		{"rows", `{"table": "alarms", "row": {}}`, "rows in alarms"},
		{"row", `{"table": "runs", "row": {}}`, "key"},
	} {
		if got := what(client.Event{Key: "key", Kind: c.kind, Payload: json.RawMessage(c.payload)}); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.kind, c.payload, got, c.want)
		}
	}
}

func TestExplain_tells_where_the_event_of_a_renamed_file_is(t *testing.T) {
	var out strings.Builder
	c := &cli{stdout: &out}
	if err := c.tellOne("/in/b.txt", client.Explanation{Finding: &client.Finding{State: "reported", Detail: "reported already"}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "event  none under this name: the file was renamed") {
		t.Error(out.String())
	}
}
