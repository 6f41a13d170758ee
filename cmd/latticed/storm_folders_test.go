package main

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// A thousand run folders appear at once, each three levels deep, written by several
// programs: a trigger on the files and one on the folders both get each of theirs once.
// Pain points 7, 10 and 11.
func TestStorm_of_1000_fresh_run_folders_is_one_dispatch_each(t *testing.T) {
	const runs, writers = 1000, 4
	v := newVictim(t)
	dir := v.folder("runs")
	v.start()
	v.storeLattice("files", map[string]any{"files": map[string]any{"type": "array"}}, map[string]any{"run": []string{"true"}})
	v.storeLattice("run", map[string]any{"run": map[string]any{"type": "string"}}, map[string]any{"run": []string{"true"}})
	v.add(map[string]any{
		"name": "files", "kind": "directory", "lattice": "files", "dir_path": dir, "settle": "1s", "recursive": true, "include": []string{"**/*.bcl"},
		"batch": map[string]any{"size": 100, "wait": "2s"}, "inputs": map[string]any{"files": "${{ map(events, .rel) }}"},
	})
	v.add(map[string]any{
		"name": "runs", "kind": "directory", "lattice": "run", "dir_path": dir, "settle": "1s", "unit": "folder",
		"marker": map[string]any{"any": []string{"RTAComplete.txt", "Done"}}, "inputs": map[string]any{"run": "${{ event.rel + ' ' + string(event.files) }}"},
	})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			out, err := exec.Command("sh", "-ec", `
				i=$1
				while [ $i -lt $2 ]; do
					r="$4/run-$i"
					mkdir -p "$r/Data/L001" "$r/Data/L002"
					echo 1 > "$r/Data/L001/a.bcl"
					echo 1 > "$r/Data/L002/b.bcl"
					echo 1 > "$r/c.bcl"
					if [ $((i % 2)) = 0 ]; then : > "$r/RTAComplete.txt"; else : > "$r/Done"; fi
					i=$((i + $3))
				done`, "sh", fmt.Sprint(w), fmt.Sprint(runs), fmt.Sprint(writers), dir).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	v.settled("each", 4*runs, 2*time.Minute)
	got := map[string]int{}
	for _, d := range everything[struct{ Inputs struct{ Files []string } }](v, "/dispatches?trigger=files&") {
		for _, f := range d.Inputs.Files {
			got[f]++
		}
	}
	if len(got) != 3*runs {
		t.Errorf("%d files were worked on", len(got))
	}
	for _, d := range everything[struct{ Inputs struct{ Run string } }](v, "/dispatches?trigger=runs&") {
		got[d.Inputs.Run]++
	}
	for i := range runs {
		run := fmt.Sprintf("run-%d", i)
		for _, what := range []string{run + " 4", run + "/Data/L001/a.bcl", run + "/Data/L002/b.bcl", run + "/c.bcl"} {
			if got[what] != 1 {
				t.Errorf("%s was worked on %d times", what, got[what])
			}
			delete(got, what)
		}
	}
	for what := range got {
		t.Errorf("there is no %s", what)
	}
	v.stop()
	v.rows(map[string]int{
		"SELECT count(*) FROM events":                                 4 * runs,
		"SELECT count(*) FROM events WHERE state = 'fired'":           4 * runs,
		"SELECT count(*) FROM dispatches WHERE status = 'completed'":  runs + 3*runs/100,
		"SELECT count(*) - count(DISTINCT firing_id) FROM dispatches": 0,
	})
}
