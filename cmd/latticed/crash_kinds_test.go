package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// kindKills is how often the daemon dies in TestCrash_over_all_kinds.
const kindKills = 200

// kindUnderCrash is a trigger of that test and what happens to it meanwhile.
type kindUnderCrash struct {
	name   string
	fields map[string]any
	// happen makes things happen in dir while the daemon lives and dies, and returns
	// what one dispatch each is expected for.
	happen func(t *testing.T, dir string) []string
}

// The daemon is killed two hundred times at random moments while files, trees, run
// folders and sets of files arrive and clocks tick: each thing has one event, one
// firing and one dispatch, which ran once. Meanwhile somebody edits, pauses, resumes,
// retries and backfills, and is cut short by the kills. Pain points 13, 22, 23, 32, 37.
func TestCrash_over_all_kinds(t *testing.T) {
	v := newVictim(t)
	d := diary{filepath.Join(v.dir, "diary")}
	kinds := kindsUnderCrash()
	v.start()
	v.storeNoting(d)
	for _, k := range kinds {
		dir := filepath.Join(v.dir, k.name, "in")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		v.register(k, dir)
	}
	began := time.Now()
	want := map[string][]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, k := range kinds {
		if k.happen == nil {
			continue
		}
		wg.Go(func() {
			made := k.happen(t, filepath.Join(v.dir, k.name, "in"))
			mu.Lock()
			defer mu.Unlock()
			want[k.name] = made
		})
	}
	for range kindKills {
		v.steerOne(kinds, &wg)
		time.Sleep(rand.N(150 * time.Millisecond))
		v.kill()
		time.Sleep(rand.N(20 * time.Millisecond))
		v.start()
	}
	wg.Wait()
	for _, k := range kinds {
		v.steer("POST", "/triggers/"+k.name+"/resume", `{"backlog":"fire"}`)
	}
	died := time.Since(began)
	for _, k := range kinds {
		if k.happen != nil {
			for limit := time.Now().Add(30 * time.Second); len(v.of(k.name)) < len(want[k.name]) && time.Now().Before(limit); {
				time.Sleep(50 * time.Millisecond)
			}
			continue // what is missing is said below
		}
		var ignored json.RawMessage
		v.call(http.MethodPost, "/triggers/"+k.name+"/pause", nil, &ignored)
	}
	for _, k := range kinds {
		got := v.of(k.name)
		v.checkEvents(k.name, got)
		if k.happen == nil {
			v.checkSeconds(k.name, got, died)
			continue
		}
		slices.Sort(got)
		slices.Sort(want[k.name])
		if !slices.Equal(got, want[k.name]) {
			t.Errorf("%s: %d things happened, %d were dispatched; missing %v, too many %v", k.name, len(want[k.name]), len(got),
				without(want[k.name], got), without(got, want[k.name]))
		}
	}
	for e, attempts := range d.check(t) {
		if len(attempts) != 1 {
			t.Errorf("%s ran as %v", e, attempts)
		}
	}
	v.stop()
	v.checkNothingIsOrphaned(map[string]bool{})
}

// steerOne does something to one of the triggers on folders that makes nothing happen
// that has not happened. The kill that comes may cut it short.
func (v *victim) steerOne(kinds []kindUnderCrash, wg *sync.WaitGroup) {
	k := kinds[rand.IntN(len(kinds))]
	if k.happen == nil {
		return // an edit of a clock begins anew, see the tests of the kind
	}
	path := "/triggers/" + k.name
	wg.Go(func() {
		switch rand.IntN(5) {
		case 0:
			v.steer("PATCH", path, fmt.Sprintf(`{"max_in_flight":%d}`, 2+rand.IntN(30)))
		case 1:
			v.steer("POST", path+"/pause", "")
		case 2:
			v.steer("POST", path+"/resume", `{"backlog":"fire"}`)
		case 3:
			v.steer("POST", path+"/retry", "{}")
		case 4:
			v.steer("POST", path+"/backfill", "{}")
		}
	})
}

// steer asks for something; whether the daemon lives long enough is open.
func (v *victim) steer(method, path, body string) {
	req, err := http.NewRequest(method, "http://latticed/v1"+path, strings.NewReader(body))
	if err != nil {
		v.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusConflict {
		v.t.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
}

func kindsUnderCrash() []kindUnderCrash {
	quiet := func(more map[string]any) map[string]any {
		fields := map[string]any{"kind": "directory", "settle": "300ms"}
		for k, v := range more {
			fields[k] = v
		}
		return fields
	}
	ticks := func(more map[string]any) map[string]any {
		fields := map[string]any{"kind": "time", "catch_up": "all", "cap": 1000, "overlap": "queue", "max_in_flight": 4}
		for k, v := range more {
			fields[k] = v
		}
		return fields
	}
	return []kindUnderCrash{
		{"flat", quiet(nil), func(t *testing.T, dir string) []string { return drop(t, dir, 100)() }},
		{"tree", quiet(map[string]any{"recursive": true, "include": []string{"**/*.tif"}}), dropTrees},
		{"runs", quiet(map[string]any{"unit": "folder", "marker": map[string]any{"all": []string{"DONE"}}}), dropRuns(400 * time.Millisecond)},
		{"late", quiet(map[string]any{"unit": "folder", "marker": map[string]any{"all": []string{"DONE"}}, "deadline": "1s", "on_deadline": "hold"}), dropRuns(1300 * time.Millisecond)},
		{"sets", quiet(map[string]any{"group": map[string]any{"by": `^(.+)\.(?:json|bin)$`, "need": []string{"*.json", "*.bin"}}}), dropSets},
		{"rated", quiet(map[string]any{"rate": "40/1s", "overlap": "queue", "max_in_flight": 2}), func(t *testing.T, dir string) []string { return drop(t, dir, 60)() }},
		{"every", ticks(map[string]any{"every": "1s"}), nil},
		{"cron", ticks(map[string]any{"cron": "* * * * * *", "timezone": "Europe/Berlin"}), nil},
	}
}

// storeNoting stores the lattice that all triggers run: it notes itself in the diary.
func (v *victim) storeNoting(d diary) {
	v.t.Helper()
	note := func(word string) string {
		return "echo \"" + word + ` $LATTICED_DISPATCH_ID $LATTICED_ELECTRON $LATTICED_ATTEMPT $(date +%s%N)" >> "$DIARY"` + "\n"
	}
	var ignored json.RawMessage
	v.call(http.MethodPost, "/lattices", map[string]any{
		"lattice": "note", "inputs": map[string]any{"what": map[string]any{"type": "string"}},
		"electrons": map[string]any{"a": map[string]any{
			"bash": note("begin") + note("end"), "env": map[string]any{"DIARY": d.path}, "retries": map[string]any{"lost": 0},
		}},
	}, &ignored)
}

func (v *victim) register(k kindUnderCrash, dir string) {
	v.t.Helper()
	what := "${{ event.path }}"
	if k.fields["kind"] == "directory" {
		k.fields["dir_path"] = dir
	} else {
		what = "${{ event.time }}"
	}
	k.fields["name"], k.fields["lattice"], k.fields["inputs"] = k.name, "note", map[string]any{"what": what}
	var ignored json.RawMessage
	v.call(http.MethodPost, "/triggers", k.fields, &ignored)
}

// of returns what the dispatches of a trigger were about, all of which have ended well.
func (v *victim) of(trigger string) []string {
	v.t.Helper()
	type one struct {
		ID, Status string
		Inputs     struct{ What string }
	}
	var what []string
	for _, x := range everything[one](v, "/dispatches?trigger="+trigger+"&") {
		if x.Status != "completed" {
			if s := v.ended(x.ID).Status; s != "completed" {
				v.t.Errorf("%s: dispatch %s of %q is %s", trigger, x.ID, x.Inputs.What, s)
			}
		}
		what = append(what, x.Inputs.What)
	}
	return what
}

// checkEvents looks that each dispatch has one event and one firing of its own.
func (v *victim) checkEvents(trigger string, dispatched []string) {
	v.t.Helper()
	type event struct {
		Key, State, Reason string
		FiringID           string `json:"firing_id"`
	}
	firings, keys := map[string]bool{}, map[string]bool{}
	for _, e := range everything[event](v, "/triggers/"+trigger+"/events?") {
		if keys[e.Key] {
			v.t.Errorf("%s: event %q was stored twice", trigger, e.Key)
		}
		keys[e.Key] = true
		switch {
		case e.State == "held" && e.Reason == "paused": // a tick after the last look
		case e.State != "fired" || firings[e.FiringID]:
			v.t.Errorf("%s: event %q is %s (%s) by firing %q", trigger, e.Key, e.State, e.Reason, e.FiringID)
		default:
			firings[e.FiringID] = true
		}
	}
	if len(firings) != len(dispatched) {
		v.t.Errorf("%s: %d firings made %d dispatches", trigger, len(firings), len(dispatched))
	}
}

// checkSeconds looks that there was one dispatch for each second, and for all of the
// time that the daemon was killed in.
func (v *victim) checkSeconds(trigger string, times []string, took time.Duration) {
	v.t.Helper()
	slices.Sort(times)
	var last time.Time
	for _, text := range times {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			v.t.Fatal(err)
		}
		if !last.IsZero() && at.Sub(last) != time.Second {
			v.t.Errorf("%s: after %s comes %s", trigger, last, at)
		}
		last = at
	}
	if n := int(took / time.Second); len(times) < n-2 {
		v.t.Errorf("%s ticked %d times in %d seconds", trigger, len(times), n)
	}
}

// without returns the members of a that are not in b, the first few.
func without(a, b []string) []string {
	var left []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			left = append(left, s)
		}
	}
	return left[:min(len(left), 5)]
}

// lay makes a file with the folders above it; errors fail the test.
func lay(t *testing.T, path, text string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// dropTrees writes files into fresh folders, three deep.
func dropTrees(t *testing.T, dir string) []string {
	var made []string
	for i := range 40 {
		for j := range 3 {
			path := filepath.Join(dir, fmt.Sprintf("run %d", i), fmt.Sprintf("plate%d", j), "raw", "image.tif")
			lay(t, path, "image\n")
			lay(t, filepath.Join(filepath.Dir(path), "notes.log"), "not an image\n")
			made = append(made, path)
		}
		time.Sleep(500 * time.Millisecond)
	}
	return made
}

// dropRuns writes run folders whose marker comes before the last of their files, as
// when somebody copies them; every other one is quiet for a while without a marker.
func dropRuns(quiet time.Duration) func(t *testing.T, dir string) []string {
	return func(t *testing.T, dir string) []string {
		var made []string
		for i := range 40 {
			run := filepath.Join(dir, fmt.Sprintf("run-%03d", i))
			lay(t, filepath.Join(run, "data", "lane1.bcl"), "1\n")
			if i%2 == 0 {
				time.Sleep(quiet)
			}
			lay(t, filepath.Join(run, "DONE"), "")
			lay(t, filepath.Join(run, "data", "lane2.bcl"), "2\n")
			made = append(made, run)
			time.Sleep(300 * time.Millisecond)
		}
		return made
	}
}

// dropSets writes pairs, the second of which comes later.
func dropSets(t *testing.T, dir string) []string {
	var made []string
	for i := range 40 {
		first, second := fmt.Sprintf("shot%d.json", i), fmt.Sprintf("shot%d.bin", i)
		if i%2 == 0 {
			first, second = second, first
		}
		lay(t, filepath.Join(dir, first), "{}\n")
		time.Sleep(500 * time.Millisecond)
		lay(t, filepath.Join(dir, second), "{}\n")
		made = append(made, filepath.Join(dir, fmt.Sprintf("shot%d.json", i)))
	}
	return made
}
