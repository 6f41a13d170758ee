package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func after(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }

func eventIn(state triggers.EventState, reason string) triggers.Event {
	e := triggers.Event{ID: "e", Kind: "ready", At: after(60), State: state, Reason: reason}
	if state != triggers.EventPending && state != triggers.EventHeld {
		e.FiringID = "f"
	}
	return e
}

func ranAs(events int, ds ...graph.Dispatch) story {
	return story{{event: eventIn(triggers.EventFired, triggers.ReasonEvent), firing: &triggers.Firing{ID: "f", EventIDs: make([]string, events)}, dispatches: ds}}
}

// The sentences are part of the product: each is compared whole.
func TestExplain_says_in_a_sentence_why_a_file_did_or_did_not_run(t *testing.T) {
	active := triggers.Trigger{Name: "in", State: triggers.Active}
	until := after(70)
	for _, c := range []struct {
		name    string
		trigger triggers.Trigger
		finding triggers.Finding
		story   story
		want    string
	}{
		{
			"settling", active,
			triggers.Finding{State: "settling", Detail: "settle 10s", FirstSeen: noon, LastChange: after(5), Until: after(15)},
			nil,
			"scan7.tif was seen first at 2026-03-01 12:00:00 UTC, last grew or changed at 2026-03-01 12:00:05 UTC and is not quiet yet: ready at 2026-03-01 12:00:15 UTC (settle 10s)",
		},
		{
			"settling_in_a_paused_trigger",
			triggers.Trigger{State: triggers.Paused},
			triggers.Finding{State: "settling", Detail: "min_size 1 KiB", FirstSeen: noon},
			nil,
			"scan7.tif was seen first at 2026-03-01 12:00:00 UTC and is not quiet yet: min_size 1 KiB; the trigger is paused, events are held until it is resumed",
		},
		{
			"settling_again", active,
			triggers.Finding{State: "settling", LastChange: after(65), Until: after(75)},
			ranAs(1, graph.Dispatch{Number: 3, Status: graph.Completed, EndedAt: after(64)}),
			"scan7.tif last grew or changed at 2026-03-01 12:01:05 UTC and is not quiet yet: ready at 2026-03-01 12:01:15 UTC; it was reported as ready at 2026-03-01 12:01:00 UTC and became dispatch 3, which completed at 2026-03-01 12:01:04 UTC",
		},
		{
			"ignored", active,
			triggers.Finding{State: "ignored", Detail: "exclude *.tif"},
			nil,
			"scan7.tif is left out: exclude *.tif",
		},
		{
			"existing", active,
			triggers.Finding{State: "existing", Detail: "existing: ignore"},
			nil,
			"scan7.tif was there before the trigger, and makes no event: existing: ignore",
		},
		{
			"absent", active,
			triggers.Finding{State: "absent"},
			nil,
			"scan7.tif is not there, and was never seen",
		},
		{
			"gone_since", active,
			triggers.Finding{State: "absent"},
			story{{event: eventIn(triggers.EventSkipped, triggers.ReasonCondition), firing: &triggers.Firing{}}},
			"scan7.tif is not there now; it was reported as ready at 2026-03-01 12:01:00 UTC and was skipped: `when` was false (condition)",
		},
		{
			"unseen_by_a_failing_trigger",
			triggers.Trigger{State: triggers.Failing, Reason: "/data/in: permission denied"},
			triggers.Finding{State: "unseen"},
			nil,
			"scan7.tif was not looked at yet; the trigger is failing: /data/in: permission denied",
		},
		{
			"waiting_for_a_marker", active,
			triggers.Finding{State: "waiting", Unit: "/data/in/run 1", FirstSeen: noon, Detail: "RTAComplete.txt is not there"},
			nil,
			`scan7.tif is part of "/data/in/run 1", which was seen first at 2026-03-01 12:00:00 UTC and is not complete: RTAComplete.txt is not there`,
		},
		{
			"a_folder_that_waits", active,
			triggers.Finding{State: "waiting", Unit: "/data/in/scan7.tif", FirstSeen: noon, LastChange: after(5), Detail: "waits for done.txt", Until: until},
			nil,
			"scan7.tif was seen first at 2026-03-01 12:00:00 UTC, last grew or changed at 2026-03-01 12:00:05 UTC and is not complete: waits for done.txt (until 2026-03-01 12:01:10 UTC)",
		},
		{
			"blocked", active, // pain point 44
			triggers.Finding{State: "reported"},
			story{{event: eventIn(triggers.EventHeld, triggers.ReasonReplacing), blockedBy: []graph.Dispatch{{Number: 3, Status: graph.Running, StartedAt: noon}, {Number: 4}}}},
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and is held: the dispatch that it replaces has not ended yet (replacing); dispatch 3 has been running since 2026-03-01 12:00:00 UTC, and others",
		},
		{
			"held", active,
			triggers.Finding{State: "reported"},
			story{{event: eventIn(triggers.EventHeld, triggers.ReasonOverlap)}},
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and is held: as many of its dispatches run as may at a time (overlap)",
		},
		{
			"pending", active,
			triggers.Finding{State: "reported"},
			story{{event: eventIn(triggers.EventPending, "")}},
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and is about to be decided",
		},
		{
			"rejected", active,
			triggers.Finding{State: "reported"},
			story{{event: eventIn(triggers.EventRejected, "inputs.n: a whole number is expected, not text"), firing: &triggers.Firing{}}},
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and was rejected: inputs.n: a whole number is expected, not text",
		},
		{
			"dead", active,
			triggers.Finding{State: "reported"},
			story{{event: eventIn(triggers.EventDead, "too large"), firing: &triggers.Firing{}}},
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and could not be decided: too large; fix that and retry the event",
		},
		{
			"failed",
			triggers.Trigger{State: triggers.Failing, Reason: "not the reason"},
			triggers.Finding{State: "reported"},
			ranAs(1, graph.Dispatch{Number: 7, Status: graph.Failed, EndedAt: after(64), Error: &graph.Error{Electron: "work", Message: "exit code 3"}}),
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and became dispatch 7, which failed at 2026-03-01 12:01:04 UTC: electron work: exit code 3",
		},
		{
			"running_in_a_batch", active,
			triggers.Finding{State: "reported"},
			ranAs(5, graph.Dispatch{Number: 7, Status: graph.Running, StartedAt: after(61)}),
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and became, with 4 others, dispatch 7, which has been running since 2026-03-01 12:01:01 UTC",
		},
		{
			"waiting_for_its_turn", active,
			triggers.Finding{State: "reported", Unit: "/data/in/run1"},
			append(ranAs(1, graph.Dispatch{Number: 7, Status: graph.Pending, Waiting: &graph.Waiting{Until: &until, Detail: "older ones go first"}}), told{}),
			"scan7.tif is part of /data/in/run1, which was reported as ready at 2026-03-01 12:01:00 UTC and became dispatch 7, which has not begun: older ones go first; other events came before",
		},
		{
			"removed_dispatch", active,
			triggers.Finding{State: "reported"},
			story{{event: eventIn(triggers.EventFired, "event"), firing: &triggers.Firing{}, removed: 1}},
			"scan7.tif was reported as ready at 2026-03-01 12:01:00 UTC and became a dispatch that was removed since",
		},
		{
			"forgotten", active,
			triggers.Finding{State: "reported"},
			nil,
			"scan7.tif was reported; what came of it is no longer kept",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := pathSentence("/data/in/scan7.tif", c.trigger, c.finding, c.story); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExplain_says_in_a_sentence_what_made_a_dispatch(t *testing.T) {
	in := triggers.Trigger{Name: "in"}
	file := triggers.Event{Kind: "ready", At: noon, Payload: []byte(`{"path": "/data/in/a b.tif"}`)}
	fired := graph.Dispatch{ID: "5", RootID: "5", Number: 5, Status: graph.Completed, FiringID: "f", TriggerID: "t", CreatedAt: after(1), EndedAt: after(2)}
	byHand := graph.Dispatch{ID: "8", RootID: "8", Number: 8, Status: graph.Running, CreatedBy: "lise", CreatedAt: after(3), StartedAt: after(3)}
	for _, c := range []struct {
		name string
		line []graph.Dispatch
		es   []graph.Electron
		t    *triggers.Trigger
		st   story
		want string
	}{
		{
			"a_trigger",
			[]graph.Dispatch{fired},
			nil, &in,
			story{{event: file, firing: &triggers.Firing{EventIDs: []string{"a", "b", "c"}}}},
			`dispatch 5 completed at 2026-03-01 12:00:02 UTC; trigger in made it at 2026-03-01 12:00:01 UTC because of "a b.tif" (ready at 2026-03-01 12:00:00 UTC) and 2 other events`,
		},
		{
			"somebody",
			[]graph.Dispatch{byHand},
			[]graph.Electron{{Name: "a", Waiting: &graph.Waiting{Code: "upstream"}}, {Name: "b", Waiting: &graph.Waiting{Code: "slots", Detail: "all slots are taken"}}},
			nil, nil,
			"dispatch 8 has been running since 2026-03-01 12:00:03 UTC; electron b waits: all slots are taken; lise made it at 2026-03-01 12:00:03 UTC, no trigger did",
		},
		{
			"somebody_again",
			[]graph.Dispatch{byHand, fired},
			nil, &in,
			story{{event: triggers.Event{Kind: "tick", Payload: []byte(`{"time": "2026-03-01T12:00:00.000000Z"}`)}}},
			"dispatch 8 has been running since 2026-03-01 12:00:03 UTC; lise made it at 2026-03-01 12:00:03 UTC from dispatch 5; trigger in made that at 2026-03-01 12:00:01 UTC because of the instant 2026-03-01T12:00:00.000000Z",
		},
		{
			"a_row",
			[]graph.Dispatch{fired},
			nil, &in,
			story{{event: triggers.Event{Key: "7", Kind: "row", At: fired.CreatedAt, Payload: []byte(`{"table": "runs", "time": "2026-03-01T12:00:00.000000Z"}`)}}},
			"dispatch 5 completed at 2026-03-01 12:00:02 UTC; trigger in made it at 2026-03-01 12:00:01 UTC because of row 7 of runs (seen at 2026-03-01 12:00:01 UTC)",
		},
		{
			"rows_that_are_there",
			[]graph.Dispatch{fired},
			nil, &in,
			story{{event: triggers.Event{Key: "2 2026-03-01T12:00:00.000000Z", Kind: "rows", At: fired.CreatedAt, Payload: []byte(`{"table": "alarms", "time": "2026-03-01T12:00:00.000000Z"}`)}}},
			"dispatch 5 completed at 2026-03-01 12:00:02 UTC; trigger in made it at 2026-03-01 12:00:01 UTC because of rows in alarms (seen at 2026-03-01 12:00:01 UTC)",
		},
		{
			"a_lattice_within_a_lattice",
			[]graph.Dispatch{{ID: "6", RootID: "5", Number: 6, Status: graph.New}, fired},
			nil, &in, nil,
			"dispatch 6 was not started yet; it is part of dispatch 5; trigger in made that at 2026-03-01 12:00:01 UTC; why is no longer kept",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := dispatchSentence(c.line, c.es, c.t, c.st); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExplain_a_hint_names_the_nearest_folders(t *testing.T) {
	folders := []watched{{"far", "/srv/a/b/c/d"}, {"plates", "/data/plates"}, {"scans", "/data/scans"}, {"parent", "/data/scans2"}}
	for _, c := range []struct {
		name, path string
		folders    []watched
		want       string
	}{
		{"none", "/data/x", nil, "no trigger watches /data/x: none watches any folder"},
		{
			"beside", "/data/scan/x.tif", folders,
			"no trigger watches /data/scan/x.tif; the nearest that is watched: /data/plates (trigger plates), /data/scans (trigger scans), /data/scans2 (trigger parent)",
		},
		{
			"below", "/data/scans/day/x.tif", folders[2:3],
			"no trigger watches /data/scans/day/x.tif; the nearest that is watched: /data/scans but not the folders in it (trigger scans)",
		},
		{
			"below_the_root", "/x",
			[]watched{{"all", "/"}},
			"no trigger watches /x; the nearest that is watched: / but not the folders in it (trigger all)",
		},
		{
			"odd_names", "/data/a b\n", folders[2:3],
			`no trigger watches "/data/a b\n"; the nearest that is watched: /data/scans (trigger scans)`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := nearest(c.path, c.folders); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExplain_every_reason_of_the_gate_has_words(t *testing.T) {
	source, err := os.ReadFile("../triggers/gate.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`\tReason\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 15 {
		t.Fatalf("only %v were found", codes)
	}
	for _, m := range codes {
		code := m[1]
		if code == triggers.ReasonManual || code == triggers.ReasonEvent {
			continue // of firings that fired
		}
		if said := reason(code + ": really"); !strings.HasSuffix(said, " ("+code+"): really") {
			t.Errorf("%s: %q", code, said)
		}
	}
	if said := reason("inputs.n: a number is expected"); said != "inputs.n: a number is expected" {
		t.Error(said)
	}
}

func TestExplain_the_text_steers_no_terminal(t *testing.T) {
	for said, want := range map[string]string{
		"waits for b\x1b[31m.dat": `waits for b\x1b[31m.dat`,
		"a\nb \u202ec\u009b":      `a\nb \u202ec\u009b`,
		"it's “a” \"b\" 日本":       "it's “a” \"b\" 日本",
	} {
		if got := harmless(said); got != want {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
	}
	h := newHouse(t)
	dir := h.watching("in", `, "unit": "folder", "settle": "10ms", "expect": {"manifest": "list.txt"}`)
	write(t, dir, "run/a.dat")
	if err := os.WriteFile(filepath.Join(dir, "run", "list.txt"), []byte("a.dat\nb\x1b[31m.dat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	soon(t, "complete but for b", func() bool {
		return strings.HasSuffix(h.do("GET /v1/explain?path="+dir+"/run").text("items.0.text"), `waits for b\x1b[31m.dat, which the manifest lists`)
	})
}
