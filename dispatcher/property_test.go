package dispatcher_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// plan is a random lattice and what its electrons will do.
type plan struct {
	electrons []planned
	stop      bool
}

type planned struct {
	data     []int  // referenced
	optional bool   // all of data, by ?.
	order    []int  // wait_for
	runs     bool   // its condition
	acts     string // one letter for each try: o(k), f(ails), l(ost); then o
	max      int    // retries
	lost     int
	took     []time.Duration
}

func (p *plan) name(i int) string { return "e" + strconv.Itoa(i) }

func drawPlan(t *rapid.T) *plan {
	p := &plan{stop: rapid.Bool().Draw(t, "stop")}
	for i := range rapid.IntRange(1, 12).Draw(t, "electrons") {
		e := planned{
			optional: rapid.Bool().Draw(t, "optional"),
			runs:     rapid.IntRange(0, 5).Draw(t, "runs") > 0,
			acts:     rapid.StringMatching(`o|o|o|o|f|l|[ofl]{0,4}`).Draw(t, "acts"),
			max:      rapid.IntRange(0, 2).Draw(t, "max"),
			lost:     rapid.IntRange(0, 2).Draw(t, "lost"),
			took:     rapid.SliceOfN(rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second}), 6, 6).Draw(t, "took"),
		}
		for j := range i {
			switch rapid.IntRange(0, 5).Draw(t, "edge") {
			case 0:
				e.data = append(e.data, j)
			case 1:
				e.order = append(e.order, j)
			}
		}
		p.electrons = append(p.electrons, e)
	}
	return p
}

func (p *plan) document() string {
	var b strings.Builder
	mode := "continue"
	if p.stop {
		mode = "stop"
	}
	fmt.Fprintf(&b, "lattice: random\non_failure: %s\ninputs: {yes: {type: boolean, default: true}}\nelectrons:\n", mode)
	for i, e := range p.electrons {
		argv := []string{"x"}
		for _, j := range e.data {
			if e.optional {
				argv = append(argv, fmt.Sprintf(`"${{ electrons.%s?.result ?? 0 }}"`, p.name(j)))
			} else {
				argv = append(argv, fmt.Sprintf(`"${{ electrons.%s.result }}"`, p.name(j)))
			}
		}
		var order []string
		for _, j := range e.order {
			order = append(order, p.name(j))
		}
		fmt.Fprintf(&b, "  %s:\n    run: [%s]\n    wait_for: [%s]\n    if: ${{ inputs.yes == %v }}\n    retries: {max: %d, lost: %d, backoff: 1s}\n",
			p.name(i), strings.Join(argv, ", "), strings.Join(order, ", "), e.runs, e.max, e.lost)
	}
	return b.String()
}

// act plays an attempt: its result is one more than the sum of what it was given.
func (p *plan) act(ctx context.Context, t executors.Task, try int) (executors.Result, error) {
	i, err := strconv.Atoi(t.Electron[1:])
	if err != nil {
		return executors.Result{}, err
	}
	e := p.electrons[i]
	select {
	case <-time.After(e.took[min(try, len(e.took))-1]):
	case <-ctx.Done():
		return executors.Result{}, nil
	}
	switch e.act(try) {
	case 'f':
		return failure("exit_code"), nil
	case 'l':
		return executors.Result{}, executors.ErrLost
	}
	sum := 1
	for _, a := range t.Argv[1:] {
		n, err := strconv.Atoi(a)
		if err != nil {
			return executors.Result{}, executors.Permanent(err)
		}
		sum += n
	}
	return value(strconv.Itoa(sum)), nil
}

func (e *planned) act(try int) byte {
	if try <= len(e.acts) {
		return e.acts[try-1]
	}
	return 'o'
}

// fate is what must become of an electron when nothing stops the dispatch.
type fate struct {
	status graph.Status
	soft   bool // skipped by a condition, its own or that of what it needs
	tries  int
	value  int
}

// oracle follows the plan one electron at a time, in the simplest way there is.
func (p *plan) oracle() []fate {
	fates := make([]fate, len(p.electrons))
	for i, e := range p.electrons {
		f := &fates[i]
		hard, soft := false, false
		for _, j := range append(append([]int(nil), e.data...), e.order...) {
			hard = hard || fates[j].status == graph.Failed || (fates[j].status == graph.Skipped && !fates[j].soft)
		}
		for _, j := range e.data {
			soft = soft || (fates[j].status == graph.Skipped && fates[j].soft && !e.optional)
			f.value += fates[j].value
		}
		switch {
		case hard:
			f.status = graph.Skipped
		case soft || !e.runs:
			f.status, f.soft = graph.Skipped, true
		default:
			f.status, f.tries = e.outcome()
		}
		if f.value++; f.status != graph.Completed {
			f.value = 0
		}
	}
	return fates
}

func (e *planned) outcome() (graph.Status, int) {
	failed, lost := 0, 0
	for try := 1; ; try++ {
		switch e.act(try) {
		case 'f':
			failed++
		case 'l':
			lost++
		default:
			return graph.Completed, try
		}
		if failed > e.max || lost > e.lost {
			return graph.Failed, try
		}
	}
}

// Random lattices, outcomes and restarts: every dispatch ends as the oracle says, no
// attempt is repeated because of a restart, and no electron runs twice at a time.
func TestProperty_restarts_change_nothing(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p)
		h.opts.Parallel, h.opts.Window = 3, 2
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			pl := drawPlan(rt)
			p.act = pl.act
			h.start()
			defer func() { h.stop() }()
			var ids []string
			for range rapid.IntRange(1, 3).Draw(rt, "dispatches") {
				ids = append(ids, h.submit(pl.document(), nil).ID)
			}
			for range rapid.IntRange(0, 4).Draw(rt, "restarts") {
				time.Sleep(rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Millisecond, time.Second}).Draw(rt, "after"))
				h.stop()
				time.Sleep(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(rt, "pause"))
				h.start()
			}
			for _, id := range ids {
				pl.check(rt, h, p, h.end(id))
			}
			synctest.Wait()
			if len(p.overlaps) > 0 {
				rt.Fatalf("these ran twice at a time: %v", p.overlaps)
			}
			if n := p.held(); n > 0 {
				rt.Fatalf("%d attempts were not released", n)
			}
		})
	})
}

// bubble keeps rapid from asking for a deadline, which has no meaning here.
type bubble struct{ *testing.T }

func (p *plan) check(t *rapid.T, h *house, exec *player, g graph.Dispatch) {
	fates := p.oracle()
	want := graph.Completed
	for _, f := range fates {
		if f.status == graph.Failed {
			want = graph.Failed
		}
	}
	if g.Status != want {
		t.Fatalf("it ended %s (%+v), want %s\n%s", g.Status, g.Error, want, p.document())
	}
	for i, f := range fates {
		e := h.electron(g.ID, p.name(i))
		tries := exec.starts(g.ID, e.Name)
		if tries != len(e.Attempts) {
			t.Fatalf("%s was started %d times in %d attempts", e.Name, tries, len(e.Attempts))
		}
		if p.stop && want == graph.Failed {
			continue // what a stop holds back depends on who was faster
		}
		if e.Status != f.status || tries != f.tries {
			t.Fatalf("%s is %s after %d tries, want %s after %d\n%s", e.Name, e.Status, tries, f.status, f.tries, p.document())
		}
	}
	if g.Status == graph.Completed {
		p.checkResult(t, g, fates)
	}
}

func (p *plan) checkResult(t *rapid.T, g graph.Dispatch, fates []fate) {
	needed := map[int]bool{}
	for _, e := range p.electrons {
		for _, j := range append(append([]int(nil), e.data...), e.order...) {
			needed[j] = true
		}
	}
	v, err := graph.DecodeValue(g.Result)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("the result is %s", g.Result)
	}
	for i, f := range fates {
		x, there := got[p.name(i)]
		if f.status == graph.Completed && !needed[i] && (!there || x != int64(f.value)) {
			t.Fatalf("%s gave %v, want %d: %s", p.name(i), x, f.value, g.Result)
		}
	}
}
