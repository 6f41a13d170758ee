package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/latticed/latticed/api/client"
)

// shown is what trigger show prints of an answer.
func shown(t *testing.T, raw string) string {
	t.Helper()
	var tr client.Trigger
	if err := json.Unmarshal([]byte(raw), &tr); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&cli{stdout: &out}).showTrigger(tr, []byte(raw)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const answered = `{"id": "1", "name": "scans", "kind": "directory", "revision": 2, "state": "degraded", "reason": "slow\nfolder", "lag_s": 90, "pending": 3, "owner": "ada", "settle": "10s"`

func TestTriggerShow_ends_with_what_could_be_better(t *testing.T) {
	got := shown(t, answered+`, "effective": [{"field": "settle", "value": "10s", "from": "trigger"}, {"field": "rate", "value": null, "from": "default"}],
		"advice": [{"code": "settle", "message": "files here were quiet after 2s at most: settle 5s would do"}]}`)
	for _, want := range []string{
		"\nstate        degraded\n", "\nreason       slow\\nfolder\n", "\npending      3, the oldest for 1m30s\n",
		"\nrate    -      default\nsettle  10s    trigger\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if !strings.HasSuffix(got, "trigger\n\nfiles here were quiet after 2s at most: settle 5s would do\n") {
		t.Error(got)
	}
}

func TestTriggerShow_has_no_reason_where_there_is_none(t *testing.T) {
	got := shown(t, `{"id": "1", "name": "scans", "kind": "time", "state": "active", "reason": null, "owner": "ada", "every": "1h"}`)
	if strings.Contains(got, "reason") || !strings.Contains(got, "\nevery        1h\n") {
		t.Error(got)
	}
}

func TestTriggerShow_says_how_far_a_backfill_is(t *testing.T) {
	got := shown(t, answered+`, "backfill": {"found": 5000, "known": 1000, "emitted": 1200}}`)
	if !strings.Contains(got, "\nbackfill     1200 of 4000 events are made\n") {
		t.Error(got)
	}
}

func TestTriggerShow_shows_inputs_as_they_are_given(t *testing.T) {
	got := shown(t, answered+`, "inputs": {"file": "${{ event.path }}", "n": 3}}`)
	if !strings.Contains(got, "\ninputs       file=${{ event.path }} n=3\n") {
		t.Error(got)
	}
}
