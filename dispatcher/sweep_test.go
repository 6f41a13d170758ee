package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const swept = `
lattice: swept
inputs:
  n: {type: integer, minimum: 0}
  alg: {type: string, default: lm}
  image: {type: string, format: path, default: /}
electrons:
  work: {run: [x, "${{ inputs.n }}"]}
`

func axis(input string, n int) graph.Axis {
	a := graph.Axis{Input: input}
	for i := range n {
		a.Values = append(a.Values, int64(i))
	}
	return a
}

func overN(n, limit int) dispatcher.SweepRequest {
	return dispatcher.SweepRequest{
		Request: dispatcher.Request{Document: []byte(swept), Owner: "ada", Labels: map[string]string{"of": "test"}},
		Over:    graph.Sweep{Grid: []graph.Axis{axis("n", n)}}, Limit: limit,
	}
}

// sweep stores a sweep.
func (h *house) sweep(r dispatcher.SweepRequest) []graph.Dispatch {
	h.t.Helper()
	p, err := h.d.PlanSweep(h.t.Context(), r)
	if err != nil {
		h.t.Fatal(err)
	}
	ds, err := h.d.Sweep(h.t.Context(), p)
	if err != nil {
		h.t.Fatal(err)
	}
	return ds
}

func TestSweep_runs_all_and_never_more_at_a_time_than_may(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			select {
			case <-time.After(time.Duration(rand.IntN(1000)) * time.Millisecond):
			case <-ctx.Done():
			}
			return value("{}"), nil
		}
		h := newHouse(t, p).start()
		first := h.sweep(overN(40, 3))
		second := h.sweep(overN(10, 0)) // by default 16 may
		if len(first) != 40 || first[39].Sweep != 1 || !first[39].Held || first[2].Held || second[9].Held {
			t.Errorf("%+v", first)
		}
		if a, b := first[0].Labels["sweep"], second[0].Labels["sweep"]; a == b || !strings.HasPrefix(b, "swept-2000") {
			t.Errorf("%s and %s", a, b)
		}
		shown := first[39]
		h.d.Explain(&shown)
		if shown.Waiting == nil || shown.Waiting.Code != "sweep" || !shown.Waiting.Since.Equal(shown.CreatedAt) {
			t.Errorf("%+v", shown.Waiting)
		}
		for _, g := range append(first, second...) {
			if g = h.end(g.ID); g.Status != graph.Completed || p.starts(g.ID, "work") != 1 {
				t.Errorf("%d ended %s", g.Number, g.Status)
			}
		}
		if p.most > 3+10 {
			t.Errorf("%d ran at a time", p.most)
		}
	})
}

func TestSweep_goes_on_after_a_member_is_cancelled(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		release := make(chan struct{})
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return value("{}"), nil
		}
		h := newHouse(t, p).start()
		ds := h.sweep(overN(5, 1))
		h.untilRunning(ds[0].ID)
		h.cancel(ds[1].ID) // it waits: nobody goes for it
		h.cancel(ds[0].ID)
		h.untilRunning(ds[2].ID)
		if g := h.until(ds[3].ID, func(graph.Dispatch) bool { return true }); !g.Held {
			t.Errorf("%+v", g)
		}
		close(release)
		for _, g := range ds[2:] {
			if g = h.end(g.ID); g.Status != graph.Completed {
				t.Errorf("%d ended %s", g.Number, g.Status)
			}
		}
	})
}

func TestSweep_goes_on_after_one_that_was_not_walked_is_cancelled(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).make()
		ds := h.sweep(overN(3, 1))
		h.cancel(ds[0].ID) // before anybody runs
		h.start()
		for _, g := range ds[1:] {
			if g = h.end(g.ID); g.Status != graph.Completed {
				t.Errorf("%d ended %s", g.Number, g.Status)
			}
		}
	})
}

// TestSweep_survives_restarts runs each member once although the dispatcher stops again
// and again, as often in the middle of a step as not.
func TestSweep_survives_restarts(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			select {
			case <-time.After(time.Duration(1+rand.IntN(100)) * time.Millisecond):
			case <-ctx.Done():
			}
			return value("{}"), nil
		}
		h := newHouse(t, p)
		h.start()
		ds := h.sweep(overN(60, 4))
		for range 10 {
			time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
			h.stop()
			h.start()
		}
		for _, g := range ds {
			if g = h.end(g.ID); g.Status != graph.Completed || p.starts(g.ID, "work") != 1 {
				t.Errorf("%d ended %s after %d starts", g.Number, g.Status, p.starts(g.ID, "work"))
			}
		}
		if p.most > 4 {
			t.Errorf("%d ran at a time", p.most)
		}
	})
}

func TestPlanSweep(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	parent := h.submit(swept, map[string]any{"n": int64(5), "alg": "dogbox"})
	t.Run("stores_nothing", func(t *testing.T) {
		r := overN(3, 0)
		r.Document = []byte(strings.Replace(swept, "lattice: swept", "lattice: other", 1))
		p, err := h.d.PlanSweep(t.Context(), r)
		if err != nil || len(p.Dispatches) != 3 || p.Limit != 16 || p.Set[2]["n"] != int64(2) {
			t.Fatalf("%+v %v", p, err)
		}
		if _, err := h.st.Lattice(t.Context(), p.Dispatches[0].LatticeID); !errors.Is(err, triggers.ErrNotFound) {
			t.Errorf("the lattice of a plan is stored: %v", err)
		}
	})
	t.Run("redispatches", func(t *testing.T) {
		ds := h.sweep(dispatcher.SweepRequest{Parent: "1", Request: dispatcher.Request{Unset: []string{"image"}}, Over: graph.Sweep{Grid: []graph.Axis{axis("n", 2)}}, Name: "again"})
		if string(ds[1].Inputs) != `{"alg":"dogbox","image":"/","n":1}` || ds[1].ParentID != parent.ID || ds[1].Labels["sweep"] != "again" {
			t.Errorf("%+v", ds[1])
		}
	})
	t.Run("warns_of_each_missing_file_once", func(t *testing.T) {
		dir := t.TempDir()
		a := graph.Axis{Input: "image"}
		for i := range 15 {
			a.Values = append(a.Values, filepath.Join(dir, fmt.Sprint(i)))
		}
		p, err := h.d.PlanSweep(t.Context(), dispatcher.SweepRequest{
			Request: dispatcher.Request{Lattice: parent.LatticeID}, Over: graph.Sweep{Grid: []graph.Axis{axis("n", 3), a}},
		})
		if err != nil || len(p.Warnings) != 11 || p.Warnings[10].Message != "5 more files can't be seen by the daemon" {
			t.Errorf("%+v %v", p.Warnings, err)
		}
	})
	t.Run("refuses", func(t *testing.T) {
		good := func() dispatcher.SweepRequest { return overN(2, 1) }
		for name, test := range map[string]struct {
			change func(*dispatcher.SweepRequest)
			want   string
		}{
			"both targets":       {func(r *dispatcher.SweepRequest) { r.Parent = "1" }, "lattice: give dispatch_id or lattice, not both"},
			"no target":          {func(r *dispatcher.SweepRequest) { r.Document = nil }, "lattice: say which lattice to run"},
			"a bad name":         {func(r *dispatcher.SweepRequest) { r.Name = "a b" }, `name: "a b" is no name of a sweep`},
			"a label of its own": {func(r *dispatcher.SweepRequest) { r.Labels = map[string]string{"sweep": "x"} }, "labels.sweep: is what the sweep is called"},
			"no place":           {func(r *dispatcher.SweepRequest) { r.Limit = -1 }, "max_in_flight: must be between 1 and 10000, not -1"},
			"nothing":            {func(r *dispatcher.SweepRequest) { r.Over = graph.Sweep{} }, "grid: give a grid or a list"},
			"too many":           {func(r *dispatcher.SweepRequest) { r.Over.Grid[0] = axis("n", 10_001) }, "there are 10001 combinations, at most 10000"},
			"what does not fit":  {func(r *dispatcher.SweepRequest) { r.Over.Grid[0].Values[1] = "x" }, `grid.n[1]: combination 2 of 2 (n="x"): `},
			"twice":              {func(r *dispatcher.SweepRequest) { r.Inputs = map[string]any{"n": int64(1)} }, "grid.n: is in inputs, too"},
			"a bad note":         {func(r *dispatcher.SweepRequest) { r.Note = "\xff" }, "note: it is not UTF-8 text"},
			"a bad document":     {func(r *dispatcher.SweepRequest) { r.Document = []byte("x: y") }, `a lattice document has no key "x"`},
		} {
			r := good()
			test.change(&r)
			_, err := h.d.PlanSweep(t.Context(), r)
			var invalid *graph.Invalid
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		r := good()
		r.Document, r.Parent = nil, "77"
		if _, err := h.d.PlanSweep(t.Context(), r); !errors.Is(err, triggers.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestPlanBulk(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	a := h.submit(swept, map[string]any{"n": int64(1), "alg": "x"})
	b := h.submit("lattice: other\ninputs: {m: {type: integer, default: 1}}\nelectrons: {e: {run: [x]}}", nil)
	c := h.submit(swept, map[string]any{"n": int64(2)})
	p, err := h.d.PlanBulk(t.Context(), []string{a.ID, b.ID, c.ID, "gone"}, dispatcher.BulkRequest{
		Request: dispatcher.Request{Inputs: map[string]any{"n": int64(9)}, Labels: map[string]string{"why": "test"}, Reuse: true}, Limit: 1,
	})
	if err != nil || len(p.Dispatches) != 2 || len(p.Refused) != 2 {
		t.Fatalf("%+v %v", p, err)
	}
	if err := p.Refused[b.ID]; err == nil || !strings.Contains(err.Error(), `no input "n"`) || !errors.Is(p.Refused["gone"], triggers.ErrNotFound) {
		t.Errorf("%v", p.Refused)
	}
	ds, err := h.d.Sweep(t.Context(), &p.SweepPlan)
	if err != nil || string(ds[0].Inputs) != `{"alg":"x","image":"/","n":9}` || ds[0].ParentID != a.ID || ds[1].ParentID != c.ID || !ds[1].Held || !ds[0].Reuse || ds[1].Labels["why"] != "test" {
		t.Errorf("%+v %v", ds, err)
	}
	if !strings.HasPrefix(ds[0].Labels["sweep"], "swept-") {
		t.Errorf("%v", ds[0].Labels)
	}
	mixed, err := h.d.PlanBulk(t.Context(), []string{a.ID, b.ID}, dispatcher.BulkRequest{})
	if err != nil || !strings.HasPrefix(mixed.Name, "again-") || mixed.Limit != 16 {
		t.Errorf("%+v %v", mixed, err)
	}
	for _, r := range []dispatcher.BulkRequest{
		{Limit: 10_001},
		{Request: dispatcher.Request{Labels: map[string]string{"sweep": "x"}}},
		{Request: dispatcher.Request{Labels: map[string]string{"": "x"}}},
	} {
		var invalid *graph.Invalid
		if _, err := h.d.PlanBulk(t.Context(), []string{a.ID}, r); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestCancelAll_races_with_ends(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		var over atomic.Int64
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			select {
			case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
			case <-ctx.Done():
			}
			return value("{}"), nil
		}
		h := newHouse(t, p)
		h.opts.Ended = func(graph.Dispatch) { over.Add(1) }
		h.start()
		ds := h.sweep(overN(250, 5))
		ids := make([]string, len(ds))
		for i, g := range ds { // newest first
			ids[len(ids)-1-i] = g.ID
		}
		time.Sleep(50 * time.Millisecond)
		gs, changed, err := h.d.CancelAll(t.Context(), slices.Concat(ids, []string{"gone"}))
		if err != nil || len(gs) != len(ds) {
			t.Fatal(len(gs), err)
		}
		ended := map[graph.Status]int{}
		for _, g := range ds {
			g = h.end(g.ID)
			ended[g.Status]++
			if g.Status == graph.Cancelled && !changed[g.ID] {
				t.Errorf("%d was cancelled by nobody", g.Number)
			}
		}
		if ended[graph.Cancelled] < 200 || ended[graph.Cancelled]+ended[graph.Completed] != len(ds) {
			t.Errorf("%v", ended)
		}
		if _, again, err := h.d.CancelAll(t.Context(), ids); err != nil || len(again) != 0 {
			t.Errorf("%v %v", again, err)
		}
		h.stop()
		if n := over.Load(); n != int64(len(ds)) {
			t.Errorf("%d ends were told of %d", n, len(ds))
		}
	})
}
