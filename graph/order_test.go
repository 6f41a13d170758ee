package graph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// runAll runs a lattice to its end in a drawn order; fate says how each electron ends
// if it gets to run, Skipped standing for a false condition.
func runAll(t *rapid.T, l *Lattice, fate []Status) map[int]string {
	p := NewProgress(l)
	ends := map[int]string{}
	todo := p.Ready()
	note := func(ready []int, skipped []Skip) {
		todo = append(todo, ready...)
		for _, s := range skipped {
			ends[s.Electron] = fmt.Sprint(s.Status, " ", s.Reason)
		}
	}
	for len(todo) > 0 {
		k := rapid.IntRange(0, len(todo)-1).Draw(t, "next")
		i := todo[k]
		todo = slices.Delete(todo, k, k+1)
		if fate[i] == Skipped {
			ends[i] = "condition"
			note(p.Skip(i, ReasonCondition))
			continue
		}
		p.Start(i)
		ends[i] = string(fate[i])
		note(p.End(i, fate[i]))
	}
	if p.Status() == Running {
		t.Fatal("it does not end")
	}
	return ends
}

func TestProgress_what_runs_does_not_depend_on_order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLattice(t)
		l.OnFailure = "continue"
		fate := make([]Status, len(l.Electrons))
		for i := range fate {
			fate[i] = rapid.SampledFrom([]Status{Completed, Completed, Failed, Cancelled, Skipped}).Draw(t, "fate")
		}
		first, second := runAll(t, l, fate), runAll(t, l, fate)
		if len(first) != len(fate) {
			t.Fatalf("%d of %d electrons ended", len(first), len(fate))
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatal(diff)
		}
	})
}
