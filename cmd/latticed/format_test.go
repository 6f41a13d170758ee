package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/api/client"
)

func TestFormat_of_times(t *testing.T) {
	from := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "0s", 312 * time.Millisecond: "310ms", 9*time.Second + 994*time.Millisecond: "9.99s",
		75*time.Second + 400*time.Millisecond: "1m15s", 25*time.Hour + 10*time.Second: "25h",
	} {
		if got := took(from, from.Add(d)); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	if took(time.Time{}, from) != "-" || at(time.Time{}) != "-" {
		t.Error("what didn't happen has a time")
	}
}

func TestFormat_of_sizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB"} {
		if got := bytesOf(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestFormat_of_values(t *testing.T) {
	given := func(keys ...string) func(string, json.RawMessage) bool {
		return func(k string, _ json.RawMessage) bool { return slices.Contains(keys, k) }
	}
	for _, c := range []struct {
		inputs string
		width  int
		first  func(string, json.RawMessage) bool
		want   string
	}{
		{`{"b": "text", "a": 1, "c": [1, 2]}`, 60, nil, "a=1 b=text c=[1, 2]"},
		{`{"b": "text", "a": 1, "c": [1, 2]}`, 60, given("c", "b"), "b=text c=[1, 2] a=1"},
		{`{"long": "` + strings.Repeat("ä", 100) + `"}`, 10, nil, "long=ääää…"},
		{`{"a": 1, "path": "/data/microscope/2026/scan0001.tif", "text": "` + strings.Repeat("t", 40) + `"}`, 60, given("path"), "path=/data/microscope/2026/scan0001.tif …"},
		{`{"a": 1, "path": "/data/microscope/2026/scan0001.tif", "text": "` + strings.Repeat("t", 40) + `"}`, 60, given("path", "text"), "path=…/2026/scan0001.tif text=" + strings.Repeat("t", 23) + "… …"},
		{`{"a": 1, "path": "/data/microscope/2026/scan0001.tif", "text": "` + strings.Repeat("t", 40) + `"}`, 60, nil, "a=1 path=…/2026/scan0001.tif text=" + strings.Repeat("t", 23) + "…"},
		{`{"path": "/data/microscope/2026/scan0001.tif"}`, 32, nil, "path=…/2026/scan0001.tif"},
		{`{"path": "/data/microscope/2026/` + strings.Repeat("x", 40) + `"}`, 32, nil, "path=…" + strings.Repeat("x", 26)},
		{`{}`, 10, nil, "-"},
		{`null`, 10, nil, "-"},
	} {
		if got := pairs(json.RawMessage(c.inputs), c.width, c.first); got != c.want {
			t.Errorf("%s: %s, want %s", c.inputs, got, c.want)
		}
	}
	if got := short(json.RawMessage(`{ "a": [1, 2, 3] }`), 8); got != `{"a":[1…` {
		t.Errorf("%s", got)
	}
}

func TestFormat_of_states(t *testing.T) {
	reason, cancelled := "survivors", "cancelled"
	steering := "\x1b[2J"
	w := &client.Waiting{Code: "slots", Detail: "all 8 are taken"}
	for got, want := range map[string]string{
		state("running", nil, nil):                                              "running",
		state("running", &reason, nil):                                          "running (survivors)",
		state("cancelled", &cancelled, nil):                                     "cancelled",
		state("pending", nil, w):                                                "pending (slots: all 8 are taken)",
		brief("pending", &reason, w):                                            "pending (slots)",
		state("failing", &steering, nil):                                        `failing (\x1b[2J)`,
		state("pending", nil, &client.Waiting{Code: "slots", Detail: steering}): `pending (slots: \x1b[2J)`,
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFormat_of_electrons_that_end_with_others(t *testing.T) {
	if one, two := withNeeds([]string{"a"}), withNeeds([]string{"a", "b"}); one != "a and what needs it" || two != "a, b and what needs them" {
		t.Error(one, two)
	}
}

func TestFormat_of_instants_in_reasons_is_the_readers(t *testing.T) {
	since := time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC)
	reason := "silent: no event since 2026-11-20T23:30:00Z (expect_every 26h)"
	if got, want := state("failing", &reason, nil), "failing (silent: no event since "+at(since)+" (expect_every 26h))"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, same := range []string{"", "/in/2026-13-20T23:30:00Z", "/in/x2026-11-20T23:30:00Z"} {
		if got := here(same); got != same {
			t.Errorf("%s, want %s", got, same)
		}
	}
}

func TestFormat_of_failures(t *testing.T) {
	seven, signal := 7, "SIGSEGV"
	for _, c := range []struct {
		e    client.Electron
		want string
	}{
		{client.Electron{}, "-"},
		{client.Electron{Error: &client.RunError{Code: "expression", Message: "no key x"}}, "expression: no key x"},
		{client.Electron{Error: &client.RunError{Code: "exit_code", Message: "exit status 7"}, Attempts: []client.Attempt{{ExitCode: &seven}}}, "exit code 7"},
		{client.Electron{Error: &client.RunError{Code: "exception", Message: "ValueError: x"}, Attempts: []client.Attempt{{ExitCode: &seven}}}, "exception: ValueError: x, exit code 7"},
		{client.Electron{Error: &client.RunError{Code: "signal", Message: "x"}, Attempts: []client.Attempt{{}, {Signal: &signal}}}, "ended by SIGSEGV (attempt 2)"},
		{client.Electron{Error: &client.RunError{Code: "timeout", Message: "over 1s"}, Attempts: []client.Attempt{{Signal: &signal}}}, "timeout: over 1s, ended by SIGSEGV"},
	} {
		if got := why(c.e); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestFormat_of_what_an_event_is_about(t *testing.T) {
	for _, c := range []struct{ kind, payload, want string }{
		{"ready", `{"path": "/in/a.tif"}`, "/in/a.tif"},
		{"tick", `{"local": "2026-03-29T03:00:00+02:00", "missed": 0}`, "2026-03-29T03:00:00+02:00"},
		{"tick", `{"local": "2026-03-29T03:00:00+02:00", "missed": 2}`, "2026-03-29T03:00:00+02:00, and 2 missed"},
		{"missed", `{"local": "2026-03-29T03:00:00+02:00", "missed": 2}`, "3 up to 2026-03-29T03:00:00+02:00"},
		{"manual", `{"local": "x"}`, "key"},
		{"manual", `null`, "key"},
	} {
		if got := what(client.Event{Key: "key", Kind: c.kind, Payload: json.RawMessage(c.payload)}); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.kind, c.payload, got, c.want)
		}
	}
	if got := what(client.Event{Key: `/in/bad\xff.tif#ready@fe00.1`, Kind: "ready", Payload: json.RawMessage(`{"path_b64": "L2luL2Jhg"}`)}); got != `/in/bad\xff.tif` {
		t.Errorf("a name that is no text: %s", got)
	}
}

func TestFormat_of_sentences_keeps_their_beginning(t *testing.T) {
	const long = "/data/in is missing; it is watched again once /data is mounted"
	if got := begin(long, 20); got != "/data/in is missing…" {
		t.Error(got)
	}
	if got := cut("/data/in/2026/scan.tif", 12); got != "…/scan.tif" {
		t.Error(got)
	}
	if begin(long, len(long)) != long {
		t.Error("what fits is cut")
	}
}

func TestFormat_of_reasons_is_lines_of_a_terminals_width(t *testing.T) {
	path := "/" + strings.Repeat("x", 90)
	rows := [][]string{{"trigger", strings.Repeat("t", 90)}, {"  reason", strings.Repeat("ab\n ", 20) + path + " end"}, {"last change", "now"}}
	got := wrap(rows, 40)
	want := [][]string{rows[0]}
	for i, line := range slices.Concat(slices.Repeat([]string{`ab\n ab\n ab\n ab\n ab\n`}, 4), []string{path, "end"}) {
		want = append(want, []string{[]string{"  reason", ""}[min(i, 1)], line})
	}
	want = append(want, rows[2])
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%q, want %q", got, want)
	}
	c := &cli{stdout: &bytes.Buffer{}}
	if got := c.wrapped(rows); !slices.EqualFunc(got, rows, slices.Equal) {
		t.Errorf("%q where no terminal is", got)
	}
}

func TestFormat_of_a_trigger_has_its_reason_apart(t *testing.T) {
	reason := "waits for the folder"
	var out bytes.Buffer
	c := &cli{stdout: &out}
	if err := c.tell("/in/a", []client.Explanation{{Trigger: &client.TriggerRef{Name: "scans", Kind: "directory", State: "failing", Reason: &reason}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.changed(client.Answer[client.Trigger]{Value: client.Trigger{Name: "scans", Kind: "directory", State: "failing", Reason: &reason}}, nil); err != nil {
		t.Fatal(err)
	}
	a := apply{cli: c, done: []applied{{Name: "a", Result: "unchanged", state: "failing", reason: reason}, {Name: "other", Result: "created", state: "active"}}}
	if err := a.show(); err != nil {
		t.Fatal(err)
	}
	want := `trigger  scans  directory  failing
reason   waits for the folder
trigger  scans  directory  failing
reason   waits for the folder
trigger a      unchanged  failing
  reason  waits for the folder
trigger other  created    active
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestFormat_of_the_state_of_an_event_is_short(t *testing.T) {
	for _, c := range [][3]string{
		{"pending", "", "pending"},
		{"fired", "event", "fired (event)"},
		{"skipped", "backlog_skipped", "skipped (backlog_skipped)"},
		{"rejected", `inputs: plate: ${{ int(event.stem) }}: "test" is not a whole number`, "rejected (inputs)"},
		{"rejected", "dedupe_key: no such field", "rejected (dedupe_key)"},
		{"dead", "the disk is full: " + strings.Repeat("x", 100), "dead (the disk is full: xxxxxxxxxxxxxxxxxxxxx…)"},
	} {
		if got := coded(c[0], c[1]); got != c[2] {
			t.Errorf("%s, want %s", got, c[2])
		}
	}
}
