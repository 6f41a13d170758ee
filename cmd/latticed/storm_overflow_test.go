package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// While the daemon is stopped the queue of the kernel fills up and overflows, over
// several folders and more than once. Afterwards each trigger has found all of its
// files, each once, and the overflows can be seen. Pain points 1 and 2.
func TestStorm_of_hints_that_nobody_reads_loses_nothing(t *testing.T) {
	const folders = 4
	v := newVictim(t)
	v.start()
	v.storeLattice("count", map[string]any{"files": map[string]any{"type": "array"}}, map[string]any{"run": []string{"true"}})
	for i := range folders {
		v.add(map[string]any{
			"name": fmt.Sprint("t", i), "kind": "directory", "lattice": "count", "dir_path": v.folder(fmt.Sprint("in", i)),
			"event_names": []string{"closed"}, "settle": "500ms",
			"batch": map[string]any{"size": 1000, "wait": "3s"}, "inputs": map[string]any{"files": "${{ map(events, .rel) }}"},
		})
	}
	made := 0
	for round, files := range []int{5000, 5000, 5} { // the queue holds 16,384 hints
		before := v.metric("latticed_watch_overflows_total")
		v.signal(syscall.SIGSTOP)
		for i := range folders {
			for n := range files {
				name := filepath.Join(v.folder(fmt.Sprint("in", i)), fmt.Sprintf("%d-%d", round, n))
				if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		v.signal(syscall.SIGCONT)
		made += folders * files
		v.settled("each", made, 2*time.Minute)
		if more := v.metric("latticed_watch_overflows_total") - before; more > 0 != (files > 1000) {
			t.Errorf("round %d: the queue overflowed %.0f times", round, more)
		}
	}
	v.stop()
	v.rows(map[string]int{
		"SELECT count(*) FROM events":                       made,
		"SELECT count(DISTINCT path) FROM events":           made,
		"SELECT count(*) FROM events WHERE state = 'fired'": made,
		"SELECT count(*) FROM (SELECT 1 FROM events GROUP BY trigger HAVING count(*) = " + fmt.Sprint(made/folders) + ")": folders,
	})
}

// signal sends one to the daemon.
func (v *victim) signal(s syscall.Signal) {
	v.t.Helper()
	if err := v.cmd.Process.Signal(s); err != nil {
		v.t.Fatal(err)
	}
}
