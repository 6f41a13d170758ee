package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSweep_runs_each_member_once_though_the_daemon_is_killed kills the real daemon again
// and again in the middle of a sweep, its acceptance included.
func TestSweep_runs_each_member_once_though_the_daemon_is_killed(t *testing.T) {
	const members, limit = 500, 6
	v := newVictim(t)
	trace := filepath.Join(v.dir, "trace")
	lattice := map[string]any{
		"lattice": "swept", "inputs": map[string]any{"n": map[string]any{"type": "integer"}},
		"electrons": map[string]any{"work": map[string]any{
			"bash": `echo "+ $N" >> "$TRACE"; sleep 0.01; echo "- $N" >> "$TRACE"; echo $N`, "env": map[string]any{"N": "${{ inputs.n }}", "TRACE": trace},
		}},
	}
	values := make([]int, members)
	for i := range values {
		values[i] = i
	}
	body := map[string]any{"lattice": lattice, "grid": map[string]any{"n": values}, "name": "s", "max_in_flight": limit}
	v.start()
	accepted := make(chan []byte, 1)
	go func() { accepted <- v.insist("/sweeps", "k", body, http.StatusCreated) }()
	for range 8 {
		time.Sleep(time.Duration(20+rand.IntN(250)) * time.Millisecond)
		v.kill()
		v.start()
	}
	var made struct{ Label string }
	if answer := <-accepted; json.Unmarshal(answer, &made) != nil || made.Label != "sweep=s" {
		t.Fatalf("the sweep was answered with %s", answer)
	}
	for n := 1; n <= members; n++ {
		if d := v.ended(fmt.Sprint(n)); d.Status != "completed" || string(d.Result) != fmt.Sprintf(`{"work":"%d"}`, n-1) {
			t.Errorf("dispatch %d ended %s with %s: %s", n, d.Status, d.Result, d.Error)
		}
	}
	if n := v.count(); n != members {
		t.Errorf("there are %d dispatches", n)
	}
	raw, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	going, most := 0, 0
	for line := range strings.Lines(string(raw)) {
		if n, begins := strings.CutPrefix(strings.TrimSpace(line), "+ "); begins {
			got = append(got, n)
			going++
		} else {
			going--
		}
		most = max(most, going)
	}
	for i := range values {
		want = append(want, fmt.Sprint(i))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d runs of %d members", len(got), members)
	}
	if most > limit {
		t.Errorf("%d ran at a time, %d may", most, limit)
	}
}
