package dispatcher_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

func TestExplain_says_why_everything_waits(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			if task.Electron == "again" {
				return failure("exit_code"), nil
			}
			return patient(time.Hour)(ctx, task, 1)
		}
		h := newHouse(t, p)
		h.opts.Parallel, h.opts.Window = 1, 1
		h.start()
		first := h.submit(`
lattice: e
electrons:
  again: {run: [x], retries: {max: 1, backoff: 1000h}}
  runs: {run: [x]}
  slot: {run: [x]}
  upstream: {run: [x], wait_for: [runs, slot]}
  elsewhere: {run: [x], executor: slurm}
`, nil)
		second := h.submit(two, nil)
		h.untilRunning(first.ID)
		why := func(id string) map[string]string {
			g, err := h.st.Dispatch(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			es, _, err := h.st.Electrons(t.Context(), id, nil, "", 100)
			if err != nil {
				t.Fatal(err)
			}
			h.d.Explain(&g)
			if err := h.d.ExplainElectrons(t.Context(), g, es); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			if g.Waiting != nil {
				got[""] = g.Waiting.Code
			}
			for _, e := range es {
				if e.Waiting != nil {
					got[e.Name] = strings.TrimSpace(e.Waiting.Code + " " + strings.TrimPrefix(e.Waiting.Detail, "needs"))
				}
			}
			return got
		}
		if diff := cmp.Diff(map[string]string{
			"again": "retry it ended with exit_code", "slot": "slots all slots of executor local are taken",
			"upstream":  "upstream  runs, slot to end",
			"elsewhere": "executor there is no executor named slurm in the configuration",
		}, why(first.ID)); diff != "" {
			t.Error(diff)
		}
		window := "window as many dispatches run as may at a time; older ones go first"
		if diff := cmp.Diff(map[string]string{"": "window", "a": window, "b": window}, why(second.ID)); diff != "" {
			t.Error(diff)
		}
		h.cancel(first.ID)
		h.cancel(second.ID)
		h.end(first.ID)
		if got := why(first.ID); len(got) > 0 {
			t.Errorf("after the end it waits for %v", got)
		}
		if g := h.end(second.ID); g.Status != graph.Cancelled {
			t.Errorf("it ended %s", g.Status)
		}
	})
}
