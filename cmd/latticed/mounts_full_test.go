package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// While the disk of the state directory is full, events wait and that shows. Once there
// is room each file is worked on once, also those that came just before the daemon was
// killed.
func TestMounts_a_full_disk_lets_events_wait_and_loses_none(t *testing.T) {
	const files = 300
	w := &watcher{victim: newVictim(t)}
	w.dir = w.folder("in")
	w.tmpfs("state", "32m")
	w.start()
	w.storeLattice("count", map[string]any{"files": map[string]any{"type": "array"}}, map[string]any{"run": []string{"true"}})
	w.watch(map[string]any{
		"lattice": "count", "event_names": []string{"ready"},
		"batch": map[string]any{"size": 10, "wait": "1s"}, "inputs": map[string]any{"files": "${{ map(events, .rel) }}"},
	})
	for round, killed := range []bool{false, true} {
		w.fill()
		for i := range files {
			w.write(fmt.Sprintf("%d-%d", round, i))
		}
		w.shows("failing", "full")
		if w.metric("latticed_store_failures_total") == 0 {
			t.Error("no failure was counted")
		}
		if killed {
			w.kill()
		}
		w.must(os.Remove(w.ballast()))
		if killed {
			w.start()
		}
		w.shows("active", "")
		w.settled("each", files, time.Minute)
	}
	w.stop()
	w.rows(map[string]int{
		"SELECT count(*) FROM events":                                      2 * files,
		"SELECT count(DISTINCT path) FROM events WHERE state = 'fired'":    2 * files,
		"SELECT count(*) - count(DISTINCT firing_id) FROM dispatches":      0,
		"SELECT count(*) FROM dispatches WHERE status <> 'completed'":      0,
		"SELECT sum(json_array_length(inputs, '$.files')) FROM dispatches": 2 * files,
	})
}

func (w *watcher) ballast() string { return filepath.Join(w.state(), "ballast") }

// fill leaves no room on the file system of the state.
func (w *watcher) fill() {
	w.t.Helper()
	f, err := os.Create(w.ballast())
	w.must(err)
	for err == nil {
		_, err = f.Write(make([]byte, 1<<12))
	}
	w.must(f.Close())
}
