package dispatcher_test

import (
	"context"
	"testing"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

func waitsFor(code string) func(graph.Dispatch) bool {
	return func(g graph.Dispatch) bool { return g.Waiting != nil && g.Waiting.Code == code }
}

func TestHold(t *testing.T) {
	t.Run("what_runs_goes_on_and_the_next_electron_waits", func(t *testing.T) {
		p := newPlayer()
		gate := make(chan struct{})
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			if task.Electron == "a" {
				<-gate
			}
			return value("1"), nil
		}
		h := newHouse(t, p).start()
		g := h.submit("lattice: two\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], wait_for: [a]}\n", nil)
		h.until(g.ID, func(g graph.Dispatch) bool { return g.Counts.Running == 1 })
		h.d.Hold(dispatcher.HoldDisk, "little is free")
		h.d.Hold(dispatcher.HoldDisk, "said twice")
		close(gate)
		got := h.until(g.ID, waitsFor("disk"))
		if got.Counts.Completed != 1 || got.Counts.Running != 0 || got.Waiting.Detail != "little is free" {
			t.Errorf("%+v, %+v", got.Counts, got.Waiting)
		}
		es := []graph.Electron{{Name: "b", Index: 1, Status: graph.Pending}}
		if err := h.d.ExplainElectrons(t.Context(), got, es); err != nil || es[0].Waiting == nil || es[0].Waiting.Code != "disk" {
			t.Errorf("%+v, %v", es[0].Waiting, err)
		}
		h.d.Release(dispatcher.HoldDisk)
		if got := h.end(g.ID); got.Status != graph.Completed || got.Waiting != nil {
			t.Errorf("%s, waits for %+v", got.Status, got.Waiting)
		}
	})

	t.Run("two_reasons_have_to_end_both", func(t *testing.T) {
		h := newHouse(t, newPlayer()).make()
		h.d.Hold(dispatcher.HoldDisk, "full")
		h.d.Hold("other", "too")
		h.d.Release(dispatcher.HoldDisk)
		if w := h.d.Held(); w == nil || w.Code != "other" {
			t.Errorf("held for %+v", w)
		}
		h.d.Release("other")
		h.d.Release("other")
		if w := h.d.Held(); w != nil {
			t.Errorf("held for %+v", w)
		}
	})

	t.Run("after_a_restore_nothing_is_touched_until_it_ends", func(t *testing.T) {
		p := newPlayer()
		dir := t.TempDir()
		h := openHouse(t, dir, p).make()
		g := h.submit("lattice: one\nelectrons:\n  a: {run: [x]}\n", nil)
		h.opts.Restored = true
		h.start()
		if h.d.Beat(t.Context()) != nil || !h.d.Ready() {
			t.Error("it is not well while it holds")
		}
		got, err := h.st.Dispatch(t.Context(), g.ID)
		if err != nil || got.Status != graph.Pending || got.Waiting != nil {
			t.Errorf("the stored dispatch is %+v, %v", got, err)
		}
		h.d.Explain(&got)
		if !waitsFor("hold")(got) {
			t.Errorf("it is shown as waiting for %+v", got.Waiting)
		}
		if n := len(p.startOrder()); n > 0 {
			t.Errorf("%d attempts have started", n)
		}
		h.d.Release(dispatcher.HoldRestored)
		if got := h.end(g.ID); got.Status != graph.Completed {
			t.Errorf("it ended %s", got.Status)
		}
	})
}

func TestSetParallel_lets_more_run_at_once(t *testing.T) {
	p := newPlayer()
	gate := make(chan struct{})
	p.act = func(context.Context, executors.Task, int) (executors.Result, error) {
		<-gate
		return value("1"), nil
	}
	h := newHouse(t, p)
	h.opts.Parallel = 1
	h.start()
	g := h.submit(wide(3), nil)
	h.until(g.ID, func(g graph.Dispatch) bool { return g.Counts.Running == 1 })
	h.d.SetParallel(3)
	h.until(g.ID, func(g graph.Dispatch) bool { return g.Counts.Running == 3 })
	close(gate)
	h.end(g.ID)
}
