package dispatcher_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// again redispatches and reuses.
func (h *house) again(parent string, r dispatcher.Request) graph.Dispatch {
	h.t.Helper()
	r.Reuse = true
	g, _, err := h.d.Redispatch(h.t.Context(), parent, r)
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// why says of an electron whether it was reused or run, and why.
func (h *house) why(dispatch, electron string) string {
	h.t.Helper()
	e := h.electron(dispatch, electron)
	if e.ReusedFrom != "" {
		return "reused: " + e.Reuse
	}
	return "run: " + e.Reuse
}

func (h *house) expectWhy(dispatch string, want map[string]string) {
	h.t.Helper()
	for name, said := range want {
		if got := h.why(dispatch, name); got != said {
			h.t.Errorf("%s is %q, want %q", name, got, said)
		}
	}
}

const fitted = `
lattice: fitted
inputs: {bins: {type: integer, default: 1024}, title: {type: string, default: a}}
electrons:
  fit: {run: [x, "${{ inputs.bins }}"], outputs: {curve: c.txt}}
  plot: {run: [x, "${{ electrons.fit.result }}", "${{ inputs.title }}", "${{ electrons.fit.files.curve }}"]}
  mail: {bash: "true", wait_for: [plot]}
  alone: {bash: "true"}
`

// working leaves a result, a file and what it wrote, all made of its arguments.
func working(_ context.Context, t executors.Task, _ int) (executors.Result, error) {
	said := []byte(t.Electron + strings.Join(t.Argv, " "))
	r := executors.Result{
		Value:  []byte(`"` + t.Electron + `"`),
		Stdout: &executors.File{Size: int64(len(said)), Data: said},
		Stderr: &executors.File{Size: 3, Data: []byte("err")},
	}
	for _, o := range t.Outputs {
		if r.Outputs == nil {
			r.Outputs = map[string]executors.File{}
		}
		r.Outputs[o.Name] = executors.File{Name: o.Name, Size: int64(len(said)), Data: said}
	}
	return r, nil
}

func TestReuse_runs_what_changed_and_says_what(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p).start()
	first := h.run(fitted, nil)
	for _, c := range []struct {
		name string
		r    dispatcher.Request
		want map[string]string
	}{
		{"nothing", dispatcher.Request{}, map[string]string{
			"fit": "reused: nothing changed since dispatch 1", "plot": "reused: nothing changed since dispatch 1",
			"mail": "reused: nothing changed since dispatch 1", "alone": "reused: nothing changed since dispatch 1",
		}},
		{"an input", dispatcher.Request{Inputs: map[string]any{"bins": int64(512)}}, map[string]string{
			"fit": `run: run[1] was "1024", is "512"`, "plot": "run: upstream fit ran again and its files differ",
			"mail": "run: it waits for plot, which ran again", "alone": "reused: nothing changed since dispatch 1",
		}},
		{"an input of the last", dispatcher.Request{Inputs: map[string]any{"title": "b"}}, map[string]string{
			"fit": "reused: nothing changed since dispatch 1", "plot": `run: run[2] was "a", is "b"`,
			"mail": "run: it waits for plot, which ran again", "alone": "reused: nothing changed since dispatch 1",
		}},
		{"an electron", dispatcher.Request{Replace: map[string][]byte{"alone": []byte("bash: 'false'"), "mail": []byte("bash: 'true'")}}, map[string]string{
			"fit": "reused: nothing changed since dispatch 1", "plot": "reused: nothing changed since dispatch 1",
			"mail": "reused: nothing changed since dispatch 1", "alone": "run: its bash changed",
		}},
		{"the lattice", dispatcher.Request{Document: []byte(strings.Replace(fitted, "  alone:", "  more:", 1))}, map[string]string{
			"fit": "reused: nothing changed since dispatch 1", "more": "run: there is no electron more in dispatch 1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			g := h.end(h.again(first.ID, c.r).ID)
			if g.Status != graph.Completed {
				t.Fatalf("it ended %s: %+v", g.Status, g.Error)
			}
			h.expectWhy(g.ID, c.want)
			for name, said := range c.want {
				if n := p.starts(g.ID, name); (n > 0) != strings.HasPrefix(said, "run") {
					t.Errorf("%s was started %d times", name, n)
				}
			}
		})
	}
	h.t = t
}

func TestReuse_takes_over_all_that_an_electron_left(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p).start()
	first := h.run(fitted, nil)
	g := h.end(h.again(first.ID, dispatcher.Request{}).ID)
	was, e := h.electron(first.ID, "fit"), h.electron(g.ID, "fit")
	if e.Status != graph.Completed || len(e.Attempts) != 0 || e.ReusedFrom != first.ID || e.EndedAt.IsZero() {
		t.Errorf("it is %+v", e)
	}
	if *e.Result != *was.Result || e.Files["curve"] != was.Files["curve"] {
		t.Errorf("it has %v and %v, was %v and %v", e.Result, e.Files, was.Result, was.Files)
	}
	if string(g.Result) != string(first.Result) || g.Counts.Completed != 4 || g.Counts.Running != 0 {
		t.Errorf("the result is %s, was %s; %+v", g.Result, first.Result, g.Counts)
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if got, want := h.log(g.ID, "fit", stream), h.log(first.ID, "fit", stream); got != want || got == "" {
			t.Errorf("its %s is %q, was %q", stream, got, want)
		}
	}
}

func (h *house) log(dispatch, electron, stream string) string {
	h.t.Helper()
	l, err := h.d.Log(h.t.Context(), dispatch, electron, "", stream)
	if err != nil {
		h.t.Fatal(err)
	}
	defer l.Close()
	b, err := io.ReadAll(l)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// What was reused is reused again, and named by where it ran, whatever is deleted.
func TestReuse_goes_on_over_generations(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p).start()
	first := h.run(fitted, nil)
	second := h.end(h.again(first.ID, dispatcher.Request{Inputs: map[string]any{"title": "b"}}).ID)
	if err := h.st.DeleteDispatch(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	third := h.end(h.again(second.ID, dispatcher.Request{}).ID)
	h.expectWhy(third.ID, map[string]string{
		"fit": "reused: nothing changed since dispatch 1", "plot": "reused: nothing changed since dispatch 2",
	})
	if e := h.electron(third.ID, "fit"); e.ReusedFrom != first.ID {
		t.Errorf("it is from %s, want %s", e.ReusedFrom, first.ID)
	}
	if err := h.st.DeleteDispatch(t.Context(), second.ID); err != nil {
		t.Fatal(err)
	}
	if got := h.log(third.ID, "fit", "stdout"); got != "fitx 1024" {
		t.Errorf("with its ancestors its stdout went, it is %q", got)
	}
	curve := h.electron(third.ID, "fit").Files["curve"].SHA256
	f, err := h.st.OpenAsset(t.Context(), curve)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := h.st.DeleteDispatch(t.Context(), third.ID); err != nil {
		t.Fatal(err)
	}
	if f, err := h.st.OpenAsset(t.Context(), curve); err == nil {
		f.Close()
		t.Error("the file outlives all that named it")
	}
}

func TestReuse_runs_from_the_failure_on(t *testing.T) {
	p := newPlayer()
	var broken atomic.Bool
	broken.Store(true)
	p.act = func(ctx context.Context, task executors.Task, try int) (executors.Result, error) {
		if task.Electron == "plot" && broken.Load() {
			return failure("exit_code"), nil
		}
		return working(ctx, task, try)
	}
	h := newHouse(t, p).start()
	first := h.run(strings.Replace(fitted, "lattice: fitted", "lattice: fitted\non_failure: continue", 1), nil)
	if first.Status != graph.Failed {
		t.Fatalf("it ended %s", first.Status)
	}
	broken.Store(false)
	g := h.end(h.again(first.ID, dispatcher.Request{}).ID)
	h.expectWhy(g.ID, map[string]string{
		"fit": "reused: nothing changed since dispatch 1", "plot": "run: it failed in dispatch 1",
		"mail": "run: it was skipped in dispatch 1", "alone": "reused: nothing changed since dispatch 1",
	})
	if g.Status != graph.Completed {
		t.Errorf("it ended %s", g.Status)
	}
}

func TestReuse_of_a_parent_that_has_not_ended(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(ctx context.Context, task executors.Task, try int) (executors.Result, error) {
			if task.Electron == "plot" {
				time.Sleep(time.Hour)
			}
			return working(ctx, task, try)
		}
		h := newHouse(t, p).start()
		first := h.submit(fitted, nil)
		h.until(first.ID, func(g graph.Dispatch) bool { return g.Counts.Completed == 2 })
		again := h.again(first.ID, dispatcher.Request{Replace: map[string][]byte{"mail": []byte("bash: 'true'")}})
		g := h.end(again.ID)
		h.expectWhy(g.ID, map[string]string{
			"fit": "reused: nothing changed since dispatch 1", "plot": "run: it still runs in dispatch 1", "mail": "run: it has not run in dispatch 1",
		})
	})
}

func TestReuse_of_a_parent_that_was_removed(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p).start()
	first := h.run(fitted, nil)
	h.stop()
	h.make()
	g := h.again(first.ID, dispatcher.Request{})
	if err := h.st.DeleteDispatch(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	h.start()
	if g = h.end(g.ID); g.Status != graph.Completed || p.starts(g.ID, "fit") != 1 {
		t.Errorf("it ended %s after %d starts", g.Status, p.starts(g.ID, "fit"))
	}
	h.expectWhy(g.ID, map[string]string{"fit": "run: the dispatch before was removed", "mail": "run: the dispatch before was removed"})
}

// Between the look at the parent and the commit its results may go.
func TestReuse_of_a_parent_that_is_removed_at_that_moment(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = working
		h := newHouse(t, p).start()
		first := h.run(fitted, nil)
		var once atomic.Bool
		h.st.onAdvance(func(s graph.Step, do func() error) error {
			if reusing(s) && once.CompareAndSwap(false, true) {
				if err := h.st.DeleteDispatch(t.Context(), first.ID); err != nil {
					t.Error(err)
				}
			}
			return do()
		})
		g := h.end(h.again(first.ID, dispatcher.Request{}).ID)
		if g.Status != graph.Completed || p.starts(g.ID, "fit") != 1 || string(g.Result) != string(first.Result) {
			t.Errorf("it ended %s (%+v) after %d starts", g.Status, g.Error, p.starts(g.ID, "fit"))
		}
	})
}

func reusing(s graph.Step) bool {
	for _, c := range s.Electrons {
		if c.Reused != nil {
			return true
		}
	}
	return false
}

// A process that dies before or after any step leaves nothing that isn't taken up.
func TestReuse_survives_a_crash_at_each_step(t *testing.T) {
	for step := range 8 {
		for name, done := range map[string]bool{"before": false, "after": true} {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				p.act = working
				h := newHouse(t, p).start()
				first := h.run(fitted, nil)
				h.stop()
				n, dead := 0, make(chan struct{})
				h.st.onAdvance(func(_ graph.Step, do func() error) error {
					if n++; n == step+1 {
						defer close(dead)
						if done {
							if err := do(); err != nil {
								t.Error(err)
							}
						}
					}
					if n > step {
						return errors.New("this process is dead")
					}
					return do()
				})
				h.start()
				g := h.again(first.ID, dispatcher.Request{Inputs: map[string]any{"title": "b"}})
				select {
				case <-dead:
				case <-time.After(time.Hour): // it took fewer steps
				}
				h.reborn()
				g = h.end(g.ID)
				if g.Status != graph.Completed || p.starts(g.ID, "fit") != 0 || p.starts(g.ID, "plot") != 1 || p.starts(g.ID, "mail") != 1 {
					t.Errorf("%s step %d: it ended %s after %v", name, step, g.Status, p.startOrder())
				}
				h.expectWhy(g.ID, map[string]string{"fit": "reused: nothing changed since dispatch 1", "mail": "run: it waits for plot, which ran again"})
			})
		}
	}
}

// What ran before fingerprints were recorded runs again.
func TestReuse_needs_a_fingerprint(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p)
	h.st.onAdvance(func(s graph.Step, _ func() error) error {
		for i := range s.Electrons {
			s.Electrons[i].Fingerprint = nil
		}
		return h.st.Store.Advance(context.Background(), s)
	})
	h.start()
	first := h.run(fitted, nil)
	g := h.end(h.again(first.ID, dispatcher.Request{}).ID)
	h.expectWhy(g.ID, map[string]string{"fit": "run: what it depends on was not recorded in dispatch 1"})
}

func TestReuse_of_a_skipped_need(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p).start()
	doc := "lattice: s\ninputs: {on: {type: boolean, default: true}}\nelectrons:\n  a: {bash: 'true', if: '${{ inputs.on }}'}\n  b: {bash: 'true', wait_for: [a]}\n"
	first := h.run(doc, nil)
	second := h.end(h.again(first.ID, dispatcher.Request{Inputs: map[string]any{"on": false}}).ID)
	h.expectWhy(second.ID, map[string]string{"b": "run: it waits for a, which was skipped now and not in dispatch 1"})
	third := h.end(h.again(second.ID, dispatcher.Request{}).ID)
	h.expectWhy(third.ID, map[string]string{"b": "reused: nothing changed since dispatch 2"})
	plan, err := h.d.PlanRedispatch(t.Context(), first.ID, dispatcher.Request{Inputs: map[string]any{"on": false}, Reuse: true})
	if err != nil || plan.Electrons[0].Action != dispatcher.ActionSkip || plan.Electrons[1].Action != dispatcher.ActionRun {
		t.Errorf("the plan is %+v: %v", plan.Electrons, err)
	}
}

// Who adds wait_for does so because the order made a difference.
func TestReuse_of_what_did_not_wait(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p).start()
	doc := "lattice: w\nelectrons:\n  a: {bash: 'true'}\n  b: {bash: 'true'}\n"
	waits := dispatcher.Request{Document: []byte(strings.Replace(doc, "b: {", "b: {wait_for: [a], ", 1))}
	first := h.run(doc, nil)
	plan, err := h.d.PlanRedispatch(t.Context(), first.ID, dispatcher.Request{Document: waits.Document, Reuse: true})
	if err != nil || plan.Electrons[1].Action != dispatcher.ActionRun {
		t.Errorf("the plan is %+v: %v", plan.Electrons, err)
	}
	second := h.end(h.again(first.ID, waits).ID)
	h.expectWhy(second.ID, map[string]string{"a": "reused: nothing changed since dispatch 1", "b": "run: it waits for a, and did not in dispatch 1"})
	third := h.end(h.again(second.ID, dispatcher.Request{}).ID)
	h.expectWhy(third.ID, map[string]string{"a": "reused: nothing changed since dispatch 1", "b": "reused: nothing changed since dispatch 2"})
}

// A condition is no data: what waits and asks runs again with what it waits for.
func TestReuse_of_what_waits_on_a_condition(t *testing.T) {
	p := newPlayer()
	p.act = func(context.Context, executors.Task, int) (executors.Result, error) { return value("true"), nil }
	h := newHouse(t, p).start()
	first := h.run("lattice: c\ninputs: {n: {type: integer, default: 1}}\nelectrons:\n  a: {run: [x, \"${{ inputs.n }}\"]}\n"+
		"  b: {bash: 'true', wait_for: [a], if: '${{ electrons.a.result }}'}\n  c: {bash: 'true', if: '${{ electrons.a.result }}'}\n", nil)
	g := h.end(h.again(first.ID, dispatcher.Request{Inputs: map[string]any{"n": int64(2)}}).ID)
	h.expectWhy(g.ID, map[string]string{"b": "run: it waits for a, which ran again", "c": "reused: nothing changed since dispatch 1"})
}

// Many are taken over in several steps, so that none keeps others waiting.
func TestReuse_of_a_wide_lattice(t *testing.T) {
	p := newPlayer()
	h := newHouse(t, p).start()
	first := h.run(wide(1000), nil)
	before := h.st.steps.Load()
	g := h.end(h.again(first.ID, dispatcher.Request{}).ID)
	steps := h.st.steps.Load() - before
	if g.Status != graph.Completed || len(p.startOrder()) != first.Counts.Completed || steps < 3 || steps > 20 {
		t.Errorf("it ended %s after %d starts of two dispatches, in %d steps", g.Status, len(p.startOrder()), steps)
	}
	h.stop()
	if n := h.d.Stats().Reused; n != 1000 {
		t.Errorf("%d are counted", n)
	}
}
