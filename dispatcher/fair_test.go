package dispatcher_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

func TestRun_keeps_to_the_window_and_the_slots(t *testing.T) {
	p := newPlayer()
	gate := make(chan struct{})
	p.act = func(ctx context.Context, _ executors.Task, _ int) (executors.Result, error) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return value("1"), nil
	}
	h := newHouse(t, p)
	h.opts.Parallel, h.opts.Window = 3, 2
	h.start()
	var ids []string
	for range 5 {
		ids = append(ids, h.submit("lattice: w\nelectrons:\n  a: {run: [x]}\n  b: {run: [x]}\n", nil).ID)
	}
	h.until(ids[1], func(g graph.Dispatch) bool { return g.Counts.Running > 0 })
	for _, id := range ids[2:] {
		if g, _ := h.st.Dispatch(t.Context(), id); g.Status != graph.Pending {
			t.Errorf("dispatch %d is %s though the window is full", g.Number, g.Status)
		}
	}
	if s := h.d.Stats(); s.Live != 2 || s.Window != 2 || s.Slots["local"] != 3 {
		t.Errorf("stats are %+v", s)
	}
	close(gate)
	for _, id := range ids {
		if g := h.end(id); g.Status != graph.Completed {
			t.Errorf("dispatch %d ended %s", g.Number, g.Status)
		}
	}
	if p.most > 3 {
		t.Errorf("%d attempts ran at a time, 3 may", p.most)
	}
}

// wide makes n electrons without dependencies.
func wide(n int) string {
	var b strings.Builder
	b.WriteString("lattice: wide\nelectrons:\n")
	for i := range n {
		fmt.Fprintf(&b, "  e%d: {run: [x]}\n", i)
	}
	return b.String()
}

func TestRun_a_wide_dispatch_does_not_starve_a_small_one(t *testing.T) {
	p := newPlayer()
	gate := make(chan struct{}, 1000)
	p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
		if task.Electron == "only" {
			return value("1"), nil
		}
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return value("1"), nil
	}
	h := newHouse(t, p)
	h.opts.Parallel = 2
	h.start()
	big := h.submit(wide(1000), nil)
	h.until(big.ID, func(g graph.Dispatch) bool { return g.Counts.Running == 2 })
	small := h.submit("lattice: small\nelectrons:\n  only: {run: [x]}\n", nil)
	h.until(small.ID, func(g graph.Dispatch) bool {
		return g.Status == graph.Running && g.Waiting != nil && g.Waiting.Code == "slots"
	})
	gate <- struct{}{}
	gate <- struct{}{} // the big one was first in line for one slot, the small one for the other
	h.end(small.ID)
	if n := len(p.startOrder()); n > 5 {
		t.Errorf("the small one ended after %d starts", n)
	}
	if _, err := h.d.Cancel(t.Context(), big.ID); err != nil {
		t.Fatal(err)
	}
	h.end(big.ID)
}

func TestRun_a_wide_dispatch_costs_fewer_commits_than_two_an_electron(t *testing.T) {
	h := newHouse(t, newPlayer()).start()
	g := h.run(wide(1000), nil)
	if g.Status != graph.Completed || g.Counts.Completed != 1000 {
		t.Fatalf("it ended %s: %+v", g.Status, g.Counts)
	}
	if n := h.st.steps.Load(); n > 1010 {
		t.Errorf("%d commits for 1,000 electrons", n)
	}
}
