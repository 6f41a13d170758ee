package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestConfig_retention_and_limits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	write(t, file, "[retention]\nage = '90d'\ncount = 1000\nbytes = '50GiB'\naudit_age = 86400\n[limits]\nmin_free = '5GiB'\n")
	c, err := parsed(t, "--config", file)
	if r := c.Retention.rules; err != nil || r.Age != 90*24*time.Hour || r.Count != 1000 || r.Bytes != 50<<30 || r.AuditAge != 24*time.Hour || c.Limits.least(1<<50) != 5<<30 {
		t.Errorf("%+v %v", c.Retention, err)
	}
	c, err = parsed(t)
	if r := c.Retention.rules; err != nil || r.Age != 0 || r.Count != 0 || r.Bytes != 0 || r.AuditAge != 365*24*time.Hour {
		t.Errorf("by default %+v %v", c.Retention, err)
	}
	for text, want := range map[string]string{
		"[retention]\nage = 'soon'":      "retention.age",
		"[retention]\nage = 0":           "must be more than nothing",
		"[retention]\naudit_age = '-1d'": "retention.audit_age",
		"[retention]\nbytes = 'much'":    "retention.bytes",
		"[retention]\nbytes = 0":         "must be more than nothing",
		"[retention]\ncount = -1":        "retention.count must not be negative",
		"[retention]\ncount = 'all'":     "retention.count must be a whole number",
		"[retention]\nages = '1d'":       "did you mean retention.age?",
		"[limits]\nmin_free = 'some'":    "limits.min_free",
		"[limits]\nminfree = '1GiB'":     "did you mean limits.min_free?",
		"[retentions]\nage = '1d'":       "did you mean retention?",
	} {
		write(t, file, text+"\n")
		if _, err := parsed(t, "--config", file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What the daemon serves is what docs/http.md lists.
func TestMetrics_that_are_served_are_listed(t *testing.T) {
	page, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	get, stop := served(t)
	get("/v1/whoami")
	text := get("/metrics")
	seen := 0
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (latticed_\w+) `).FindAllStringSubmatch(text, -1) {
		seen++
		if !strings.Contains(string(page), "\n"+m[1]+" ") {
			t.Errorf("%s is not listed", m[1])
		}
	}
	if seen < 30 {
		t.Errorf("only %d are served", seen)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A change of state is one line of log, whoever makes it: a reader can follow a dispatch
// with one grep.
func TestLog_has_one_line_for_each_change_of_state(t *testing.T) {
	v := newVictim(t)
	incoming := v.folder("in")
	v.start()
	v.storeLattice("fine", map[string]any{}, map[string]any{"run": []string{"true"}})
	v.storeLattice("bad", map[string]any{}, map[string]any{"run": []string{"false"}, "retries": map[string]any{"max": 1, "backoff": "10ms"}})
	v.storeLattice("long", map[string]any{}, map[string]any{"run": []string{"sleep", "60"}})
	v.add(map[string]any{"name": "scans", "kind": "directory", "lattice": "fine", "dir_path": incoming, "event_names": []string{"closed"}})
	v.says("dispatch", "fine", "--wait")
	var bad struct{ ID string }
	v.call("POST", "/dispatches", map[string]any{"lattice": "bad"}, &bad)
	v.ended(bad.ID)
	var long struct{ ID string }
	v.call("POST", "/dispatches", map[string]any{"lattice": "long"}, &long)
	eventually(t, "it runs", func() bool { return v.metric("latticed_attempts_running") == 1 })
	v.says("cancel", long.ID, "--wait")
	v.says("trigger", "pause", "scans")
	v.says("trigger", "resume", "scans")
	write(t, filepath.Join(incoming, "x"), "x")
	eventually(t, "the file has run", func() bool { return v.metric("latticed_dispatches_ended_total") == 4 })
	v.stop()

	text, err := os.ReadFile(v.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var l struct{ Component, Dispatch, Electron, Attempt, Trigger, Status, Message string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		switch {
		case l.Attempt != "":
			changes[fmt.Sprintf("attempt %s %s", l.Attempt, l.Status)]++
		case l.Dispatch != "":
			changes[fmt.Sprintf("dispatch %s %s", l.Dispatch, l.Message)]++
		}
		if l.Message == "trigger state" {
			changes["trigger "+l.Trigger+" "+l.Status]++
		}
	}
	kinds := map[string]int{}
	for change, n := range changes {
		what, rest, _ := strings.Cut(change, " ")
		_, state, _ := strings.Cut(rest, " ")
		if what != "trigger" && n != 1 {
			t.Errorf("%d lines for %s", n, change)
		}
		kinds[what+" "+state] += n
	}
	for kind, want := range map[string]int{
		"dispatch dispatch accepted": 3, "dispatch dispatch started": 4, "dispatch dispatch ended": 4, "dispatch dispatch is being cancelled": 1,
		"attempt running": 5, "attempt completed": 2, "attempt failed": 2, "attempt cancelled": 1,
		"trigger paused": 1, "trigger active": 2,
	} {
		if kinds[kind] != want {
			t.Errorf("%d lines for %s, want %d; all are %v", kinds[kind], kind, want, kinds)
		}
	}
}
