package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A hundred thousand files that arrive at once go through the daemon, from the hint of
// the kernel to the end of the last dispatch: each is in one dispatch, and the memory
// of the daemon doesn't grow with them. Pain points 1, 3, 24 and 36.
func TestStorm_of_100000_files_each_is_worked_on_once(t *testing.T) {
	const files, batch = 100_000, 1000
	v := newVictim(t)
	dir := v.folder("storm")
	v.start()
	v.storeLattice("count", map[string]any{"files": map[string]any{"type": "array"}}, map[string]any{"run": []string{"true"}})
	v.add(map[string]any{
		"name": "storm", "kind": "directory", "lattice": "count", "dir_path": dir, "settle": "1s",
		"batch": map[string]any{"size": batch, "wait": "5s"}, "inputs": map[string]any{"files": "${{ map(events, .rel) }}"},
	})
	before := v.memory("VmRSS")
	began := time.Now()
	storm(t, dir, files)
	written := time.Since(began)
	v.settled("storm", files, 2*time.Minute)
	took, peak := time.Since(began), v.memory("VmHWM")
	t.Logf("%d files were written in %s and worked on in %s; the daemon had %d MiB before and %d MiB at most", files, written, took, before>>20, peak>>20)
	if took > 2*time.Minute {
		t.Errorf("it took %s", took)
	}
	if peak > 512<<20 {
		t.Errorf("the daemon needed %d MiB", peak>>20)
	}
	type one struct {
		Status string
		Inputs struct{ Files []string }
	}
	times := map[string]int{}
	for _, d := range everything[one](v, "/dispatches?trigger=storm&") {
		if d.Status != "completed" {
			t.Errorf("a dispatch is %s", d.Status)
		}
		for _, f := range d.Inputs.Files {
			times[f]++
		}
	}
	for i := range files {
		if n := times[fmt.Sprintf("%06d.dat", i)]; n != 1 {
			t.Fatalf("file %d was dispatched %d times", i, n)
		}
	}
	v.stop()
	v.rows(map[string]int{
		"SELECT count(*) FROM events":                                 files,
		"SELECT count(DISTINCT path) FROM events":                     files,
		"SELECT count(*) FROM events WHERE state = 'fired'":           files,
		"SELECT count(*) FROM firings WHERE decision <> 'fired'":      0,
		"SELECT count(*) - count(DISTINCT firing_id) FROM dispatches": 0,
	})
}

// Where each file is a dispatch of its own, and the daemon is killed in the middle, a
// hundred thousand files are as many events, firings and dispatches. Nothing runs
// them: the only slot is taken, so that what counts here is counted.
func TestStorm_of_100000_files_each_is_one_dispatch_over_a_SIGKILL(t *testing.T) {
	const files = 100_000
	v := newVictim(t)
	v.args = []string{"--parallel", "1"}
	dir := v.folder("storm")
	v.start()
	v.storeLattice("file", map[string]any{"file": map[string]any{"type": "string", "default": ""}}, map[string]any{"run": []string{"sleep", "1000"}})
	v.add(map[string]any{
		"name": "storm", "kind": "directory", "lattice": "file", "dir_path": dir, "settle": "1s", "overlap": "allow",
		"inputs": map[string]any{"file": "${{ event.rel }}"},
	})
	written := make(chan struct{})
	go func() {
		defer close(written)
		storm(t, dir, files)
	}()
	for v.metric("latticed_events_total") < files/10 {
		time.Sleep(50 * time.Millisecond)
	}
	v.kill()
	v.start()
	<-written
	began := time.Now()
	for v.metric("latticed_dispatches") < files && time.Since(began) < 2*time.Minute {
		time.Sleep(200 * time.Millisecond)
	}
	t.Logf("it took %s after the last file; the daemon had %d MiB at most", time.Since(began), v.memory("VmHWM")>>20)
	if peak := v.memory("VmHWM"); peak > 512<<20 {
		t.Errorf("the daemon needed %d MiB", peak>>20)
	}
	v.kill()
	v.rows(map[string]int{
		"SELECT count(*) FROM events":                                                files,
		"SELECT count(DISTINCT path) FROM events WHERE state = 'fired'":              files,
		"SELECT count(*) FROM firings":                                               files,
		"SELECT count(*) FROM dispatches":                                            files,
		"SELECT count(DISTINCT firing_id) FROM dispatches":                           files,
		"SELECT count(DISTINCT inputs) FROM dispatches":                              files,
		"SELECT count(*) FROM dispatches WHERE status NOT IN ('pending', 'running')": 0,
	})
}

// storm writes small files into a folder from several goroutines.
func storm(t *testing.T, dir string, files int) {
	t.Helper()
	const writers = 4
	var wg sync.WaitGroup
	for part := range writers {
		wg.Go(func() {
			for i := part; i < files; i += writers {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.dat", i)), []byte("x"), 0o644); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// folder makes one beside the state of the daemon.
func (v *victim) folder(name string) string {
	v.t.Helper()
	dir := filepath.Join(v.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		v.t.Fatal(err)
	}
	return dir
}

// storeLattice stores a lattice with one electron.
func (v *victim) storeLattice(name string, inputs, electron map[string]any) {
	v.t.Helper()
	var ignored any
	v.call(http.MethodPost, "/lattices", map[string]any{"lattice": name, "inputs": inputs, "electrons": map[string]any{"a": electron}}, &ignored)
}

// add registers a trigger.
func (v *victim) add(spec map[string]any) {
	v.t.Helper()
	var ignored any
	v.call(http.MethodPost, "/triggers", spec, &ignored)
}

// metric is the sum of all values with a name that have these labels.
func (v *victim) metric(name string, labels ...string) float64 {
	v.t.Helper()
	resp, err := v.client.Get("http://latticed/metrics")
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(resp.Body)
next:
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if got, _, _ := strings.Cut(key, "{"); got != name {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(key, l) {
				continue next
			}
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			v.t.Fatal(err)
		}
		sum += n
	}
	if err := lines.Err(); err != nil {
		v.t.Fatal(err)
	}
	return sum
}

// settled waits until a trigger has fired so many events, and all that it has
// dispatched is over.
func (v *victim) settled(trigger string, events int, limit time.Duration) {
	v.t.Helper()
	var fired, live float64
	for begun := time.Now(); time.Since(begun) < limit; time.Sleep(100 * time.Millisecond) {
		fired = v.metric("latticed_event_decisions_total", `decision="fired"`)
		live = v.metric("latticed_dispatches")
		if int(fired) >= events && live == 0 {
			return
		}
	}
	v.t.Fatalf("%s has fired %.0f of %d events, and %.0f dispatches are under way", trigger, fired, events, live)
}

// memory reads a number of bytes from the status of the daemon's process.
func (v *victim) memory(what string) int {
	v.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	if err != nil {
		v.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); key == what {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				v.t.Fatal(err)
			}
			return kib << 10
		}
	}
	v.t.Fatalf("the kernel doesn't say %s", what)
	return 0
}

// rows compares counts in the database of a daemon that has stopped.
func (v *victim) rows(want map[string]int) {
	v.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(v.state(), "latticed.db"))
	if err != nil {
		v.t.Fatal(err)
	}
	defer db.Close()
	for query, n := range want {
		var got int
		if err := db.QueryRow(query).Scan(&got); err != nil || got != n {
			v.t.Errorf("%s: %d, want %d (%v)", query, got, n, err)
		}
	}
}
