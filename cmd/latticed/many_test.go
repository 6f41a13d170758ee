package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// crowd is a daemon with ten thousand triggers of all sorts.
type crowd struct {
	*victim
	began time.Time
	want  []string // what one dispatch each is expected for
	held  int      // events that a pause holds
}

const (
	crowdClocks  = 4000
	crowdFolders = 5000
	crowdPaused  = 1000 // a tenth of them clocks
)

// Ten thousand triggers cost next to nothing while nothing happens, and each of them
// still gets what is its own, once, over a SIGKILL. Pain points 19 and 29.
func TestMany_10000_mixed_triggers_idle_for_nothing_and_each_gets_its_own_once(t *testing.T) {
	c := &crowd{victim: newVictim(t)}
	c.start()
	c.storeLattice("note", map[string]any{"what": map[string]any{"type": "string"}}, map[string]any{"run": []string{"true"}})
	before := c.memory("VmRSS")
	c.register()
	n := crowdClocks + crowdFolders + crowdPaused
	took := time.Since(c.began)
	c.stop()
	c.began = time.Now()
	c.start()
	c.stands()
	restart := time.Since(c.began)
	idle := c.idles(20 * time.Second)
	each := (c.memory("VmRSS") - before) / n // with what the collector has not given back
	t.Logf("%d triggers were registered in %s and ready %s after a start; idle they use %.2f %% of a core and %d bytes each, %.0f of them alive", n, took, restart, 100*idle, each, c.metric("go_memstats_next_gc_bytes")/2/float64(n))
	if idle > 0.05 {
		t.Errorf("idle they use %.1f %% of a core", 100*idle)
	}
	if each > 25<<10 {
		t.Errorf("each needs %d bytes", each)
	}
	if restart > 30*time.Second {
		t.Errorf("they were ready %s after a start", restart)
	}
	c.happen(250)
	c.kill()
	c.happen(250)
	c.start()
	c.gets()
	c.ticks()
	c.stop()
}

// register adds them all, several at a time.
func (c *crowd) register() {
	c.t.Helper()
	c.began = time.Now()
	specs := make(chan map[string]any)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for s := range specs {
				c.post("/triggers", s)
				if strings.HasPrefix(s["name"].(string), "p") {
					c.post("/triggers/"+s["name"].(string)+"/pause", nil)
				}
			}
		})
	}
	for i := range crowdClocks {
		specs <- clockSpec(fmt.Sprint("c", i), i)
	}
	for i := range crowdFolders {
		specs <- c.folderSpec(fmt.Sprint("d", i), i)
	}
	for i := range crowdPaused {
		if i%10 == 0 {
			specs <- clockSpec(fmt.Sprint("p", i), i)
		} else {
			specs <- c.folderSpec(fmt.Sprint("p", i), i)
		}
	}
	close(specs)
	wg.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// post is call for other goroutines.
func (c *crowd) post(path string, body any) {
	text, err := json.Marshal(body)
	if body == nil {
		text = nil
	}
	if err != nil {
		c.t.Error(err)
		return
	}
	resp, err := c.client.Post("http://latticed/v1"+path, "application/json", strings.NewReader(string(text)))
	if err != nil {
		c.t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		c.t.Errorf("%s %s: %s", path, text, resp.Status)
	}
}

// clockSpec is a trigger that doesn't tick while the test runs.
func clockSpec(name string, i int) map[string]any {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"}
	later := time.Now().UTC().Add(12 * time.Hour)
	spec := map[string]any{"name": name, "kind": "time", "lattice": "note", "inputs": map[string]any{"what": "${{ event.time }}"}}
	switch i % 4 {
	case 0:
		spec["every"] = "6h"
	case 1:
		spec["every"], spec["after"] = "8h", "completion"
	case 2:
		spec["at"] = []string{later.Format(time.RFC3339)}
	default:
		spec["cron"] = fmt.Sprintf("%d %d 1 %d *", i%60, i%24, later.AddDate(0, 6, 0).Month())
		spec["timezone"] = zones[i%len(zones)]
	}
	return spec
}

// folderSpec is a trigger on a folder: on its files, its tree, or its run folders.
func (c *crowd) folderSpec(name string, i int) map[string]any {
	spec := map[string]any{
		"name": name, "kind": "directory", "lattice": "note", "dir_path": c.folder("in/" + name), "settle": "300ms",
		"inputs": map[string]any{"what": "${{ event.path }}"},
	}
	switch i % 5 {
	case 0:
		spec["recursive"] = true
		c.folder("in/" + name + "/old/data")
	case 1:
		spec["unit"], spec["marker"] = "folder", map[string]any{"all": []string{"DONE"}}
	}
	return spec
}

// stands waits until all triggers are as they should be.
func (c *crowd) stands() {
	c.t.Helper()
	eventually(c.t, "all triggers are active", func() bool {
		return c.metric("latticed_triggers", `state="active"`) == crowdClocks+crowdFolders && c.metric("latticed_triggers", `state="paused"`) == crowdPaused &&
			c.metric("latticed_folder_looks_total") >= crowdFolders
	})
}

// idles returns which part of a core the daemon uses while nothing happens.
func (c *crowd) idles(d time.Duration) float64 {
	c.t.Helper()
	time.Sleep(3 * time.Second) // the start is over
	before := c.cpu()
	time.Sleep(d)
	return float64(c.cpu()-before) / float64(d)
}

// cpu is the time that the daemon has used so far.
func (v *victim) cpu() time.Duration {
	v.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.cmd.Process.Pid))
	if err != nil {
		v.t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	ticks := 0
	for _, f := range fields[11:13] { // in user and in kernel mode
		n, err := strconv.Atoi(f)
		if err != nil {
			v.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // always, see proc(5)
}

// happen makes n things happen at random triggers.
func (c *crowd) happen(n int) {
	c.t.Helper()
	for i := range n {
		name, k := "d", rand.IntN(crowdFolders)
		if i%10 == 0 {
			if name, k = "p", rand.IntN(crowdPaused); k%10 == 0 {
				k++
			}
		}
		path := filepath.Join(c.dir, "in", fmt.Sprint(name, k))
		unique := fmt.Sprintf("%d-%d", len(c.want), c.held)
		switch k % 5 {
		case 0:
			path = filepath.Join(path, "new "+unique, "data", "x")
			lay(c.t, path, "x")
		case 1:
			path = filepath.Join(path, "run "+unique)
			lay(c.t, filepath.Join(path, "data", "x"), "x")
			lay(c.t, filepath.Join(path, "DONE"), "")
		default:
			path = filepath.Join(path, unique)
			lay(c.t, path, "x")
		}
		if name == "p" {
			c.held++
		} else {
			c.want = append(c.want, path)
		}
	}
}

// gets waits until all that happened has had its dispatch, and counts.
func (c *crowd) gets() {
	c.t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(200 * time.Millisecond) {
		if c.metric("latticed_dispatches") == 0 && c.metric("latticed_events_held", `reason="paused"`) == float64(c.held) && len(c.dispatched()) >= len(c.want) {
			break
		}
	}
	got := c.dispatched()
	slices.Sort(got)
	slices.Sort(c.want)
	if !slices.Equal(got, c.want) {
		c.t.Errorf("%d things happened, %d were dispatched; missing %v, too many %v", len(c.want), len(got), without(c.want, got), without(got, c.want))
	}
	if n := c.metric("latticed_events_held", `reason="paused"`); int(n) != c.held {
		c.t.Errorf("%d events are held by a pause, not %d", int(n), c.held)
	}
}

func (c *crowd) dispatched() (what []string) {
	for _, d := range everything[struct{ Inputs struct{ What string } }](c.victim, "/dispatches?") {
		what = append(what, d.Inputs.What)
	}
	return what
}

// ticks looks that clocks tick among all the others.
func (c *crowd) ticks() {
	c.t.Helper()
	const clocks = 20
	for i := range clocks {
		c.add(map[string]any{"name": fmt.Sprint("t", i), "kind": "time", "lattice": "note", "every": "1s", "overlap": "queue", "inputs": map[string]any{"what": "${{ event.time }}"}})
	}
	for i := range clocks {
		name := fmt.Sprint("t", i)
		eventually(c.t, "it ticks", func() bool { return len(c.of(name)) >= 3 })
		var ignored json.RawMessage
		c.call(http.MethodPost, "/triggers/"+name+"/pause", nil, &ignored)
		c.checkSeconds(name, c.of(name), 3*time.Second)
	}
}
