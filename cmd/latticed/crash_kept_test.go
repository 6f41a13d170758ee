package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// What an attempt leaves that failed is there to be looked at, whatever moment the daemon
// was killed at; also when its program had nothing to complain of.
func TestCrash_keeps_the_directories_of_what_failed(t *testing.T) {
	v := newVictim(t)
	v.start()
	electrons := map[string]any{}
	for i := range 4 {
		electrons[fmt.Sprint("without_output", i)] = map[string]any{"bash": "echo x > left", "outputs": map[string]any{"o": "o"}}
		electrons[fmt.Sprint("fine", i)] = map[string]any{"bash": "echo x > left"}
	}
	lattice := map[string]any{"lattice": "kept", "electrons": electrons, "on_failure": "continue"}
	ids := feed(v, 40, 20*time.Millisecond, lattice)
	for range 25 {
		time.Sleep(rand.N(150 * time.Millisecond))
		v.kill()
		v.start()
	}
	failed, keep := 0, map[string]bool{}
	for _, id := range ids() {
		for _, e := range v.ended(id).Electrons {
			for _, a := range e.Attempts {
				if a.Status != "failed" {
					continue
				}
				failed++
				keep[a.WorkDir] = true
				if a.WorkDir == "" || !exists(filepath.Join(a.WorkDir, "left")) {
					t.Errorf("%s of %s has left nothing in %q", e.Name, id, a.WorkDir)
				}
			}
		}
	}
	if failed < 160 {
		t.Errorf("%d attempts failed", failed)
	}
	v.stop()
	v.checkNothingIsOrphaned(keep)
}
