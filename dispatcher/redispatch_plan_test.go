package dispatcher_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// numbered: what a and what follows it is given is known only when it runs; so is
// whether d does; b and e are about what is known before.
const numbered = `
lattice: numbered
electrons:
  a: {run: [x, "run ${{ dispatch.number }}"]}
  b: {run: [x, "of ${{ inputs.n }}"]}
  c: {run: [x, "${{ electrons.a.result }}"]}
  d: {run: [x], if: "${{ dispatch.number > 3 }}"}
  e: {run: [x, "${{ dispatch.parent_id ?? 'none' }}"]}
  f: {run: [x, "${{ dispatch.id }}"]}
inputs: {n: {type: integer, default: 1}}
`

func TestPlan_does_not_know_the_number_of_a_dispatch_that_is_not_there(t *testing.T) {
	p := newPlayer()
	p.act = working
	h := newHouse(t, p).start()
	first := h.run(numbered, nil)
	plan, err := h.d.PlanRedispatch(t.Context(), first.ID, dispatcher.Request{Reuse: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]string{
		"a": {dispatcher.ActionRun, "dispatch.number is unknown until it runs"},
		"b": {dispatcher.ActionReuse, "nothing changed since dispatch 1"},
		"c": {dispatcher.ActionDepends, "on what a returns"},
		"d": {dispatcher.ActionDepends, "on dispatch.number, which is unknown until it runs"},
		"e": {dispatcher.ActionRun, "run[1] was \"none\", is \"" + first.ID + "\""},
		"f": {dispatcher.ActionRun, "dispatch.id is unknown until it runs"},
	}
	for _, e := range plan.Electrons {
		if e.Action != want[e.Name][0] || e.Reason != want[e.Name][1] {
			t.Errorf("%s: %s: %s", e.Name, e.Action, e.Reason)
		}
	}
}

// Two python objects may look the same as JSON and not be the same.
func TestReuse_of_what_got_a_python_object_asks_for_the_object(t *testing.T) {
	var object atomic.Value
	p := newPlayer()
	p.act = func(_ context.Context, task executors.Task, _ int) (executors.Result, error) {
		r := executors.Result{Value: []byte(`{"looks": "the same"}`)}
		if task.Electron == "make" {
			raw := []byte(object.Load().(string))
			r.Pickle = &executors.File{Name: "pickle", Size: int64(len(raw)), Data: raw}
		}
		return r, nil
	}
	h := newHouse(t, p).start()
	object.Store("one")
	first := h.run("lattice: objects\ninclude: {lib.py: {text: \"x = 1\\n\"}}\ninputs: {n: {type: integer, default: 1}}\nelectrons:\n"+
		"  make: {run: [x, \"${{ inputs.n }}\"]}\n  use: {python: \"lib.py:f\", args: {r: \"${{ electrons.make.result }}\"}}\n", nil)
	second := h.end(h.again(first.ID, dispatcher.Request{Inputs: map[string]any{"n": int64(2)}}).ID)
	h.expectWhy(second.ID, map[string]string{"use": "reused: nothing changed since dispatch 1"})
	object.Store("another")
	third := h.end(h.again(second.ID, dispatcher.Request{Inputs: map[string]any{"n": int64(3)}}).ID)
	h.expectWhy(third.ID, map[string]string{"use": "run: upstream make ran again and its result differs"})
}

// honest is a player whose attempts don't say that they were cancelled: they fail first.
type honest struct{ *player }

func (p honest) Run(ctx context.Context, t executors.Task) (executors.Result, error) {
	r, err := p.player.Run(ctx, t)
	r.Cancelled = false
	return r, err
}

// An electron that was asked to end is not tried again, also when its attempt fails
// instead of saying that it was cancelled.
func TestCancelElectrons_of_what_fails_while_it_ends(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			if task.Electron == "other" {
				return value("1"), nil
			}
			<-ctx.Done()
			time.Sleep(time.Minute)
			return failure("exit_code"), nil
		}
		h := newHouse(t, honest{p}).start()
		g := h.submit("lattice: l\nelectrons:\n  long: {run: [x], retries: {max: 3, backoff: 1s}}\n  other: {run: [x]}\n", nil)
		h.untilRunning(g.ID)
		h.cancelElectrons(g.ID, "long")
		g = h.end(g.ID)
		if n := p.starts(g.ID, "long"); n != 1 {
			t.Errorf("it was started %d times", n)
		}
		if e := h.electron(g.ID, "long"); e.Status != graph.Failed {
			t.Errorf("it is %s", e.Status)
		}
	})
}
