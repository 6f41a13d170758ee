package dispatcher_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// sums is a random lattice whose electrons add up what they are given, modulo 3, so
// that another input often gives the same result.
type sums struct {
	electrons []summand
}

type summand struct {
	constant int
	inputs   []int // of four
	data     []int
	order    []int // wait_for
	fails    bool  // in the parent
}

func drawSums(t *rapid.T) *sums {
	s := &sums{}
	for i := range rapid.IntRange(1, 10).Draw(t, "electrons") {
		e := summand{constant: rapid.IntRange(0, 2).Draw(t, "constant"), fails: rapid.IntRange(0, 9).Draw(t, "fails") == 0}
		for k := range 4 {
			if rapid.IntRange(0, 3).Draw(t, "input") == 0 {
				e.inputs = append(e.inputs, k)
			}
		}
		for j := range i {
			switch rapid.IntRange(0, 4).Draw(t, "edge") {
			case 0:
				e.data = append(e.data, j)
			case 1:
				e.order = append(e.order, j)
			}
		}
		s.electrons = append(s.electrons, e)
	}
	return s
}

func (s *sums) electron(i int) string {
	e := s.electrons[i]
	words := []string{"x", strconv.Itoa(e.constant)}
	for _, k := range e.inputs {
		words = append(words, fmt.Sprintf(`"${{ inputs.i%d }}"`, k))
	}
	for _, j := range e.data {
		words = append(words, fmt.Sprintf(`"${{ electrons.e%d.result }}"`, j))
	}
	order := []string{}
	for _, j := range e.order {
		order = append(order, "e"+strconv.Itoa(j))
	}
	return fmt.Sprintf("{run: [%s], wait_for: [%s]}", strings.Join(words, ", "), strings.Join(order, ", "))
}

func (s *sums) document() string {
	var b strings.Builder
	b.WriteString("lattice: sums\non_failure: continue\ninputs: {i0: {type: integer}, i1: {type: integer}, i2: {type: integer}, i3: {type: integer}}\nelectrons:\n")
	for i := range s.electrons {
		fmt.Fprintf(&b, "  e%d: %s\n", i, s.electron(i))
	}
	return b.String()
}

// words are the numbers that each electron is given, and its result.
func (s *sums) words(inputs []int) (given [][]int, results []int) {
	for _, e := range s.electrons {
		ws, sum := []int{e.constant}, 0
		for _, k := range e.inputs {
			ws = append(ws, inputs[k])
		}
		for _, j := range e.data {
			ws = append(ws, results[j])
		}
		for _, w := range ws {
			sum += w
		}
		given, results = append(given, ws), append(results, sum%3)
	}
	return given, results
}

// completes tells which electrons of the parent have a result.
func (s *sums) completes() []bool {
	ok := make([]bool, len(s.electrons))
	for i, e := range s.electrons {
		ok[i] = !e.fails
		for _, j := range append(slices.Clone(e.data), e.order...) {
			ok[i] = ok[i] && ok[j]
		}
	}
	return ok
}

// runsAgain is the oracle: what has to run when s becomes to, in the simplest way.
func (s *sums) runsAgain(to *sums, before, after []int) []bool {
	was, _ := s.words(before)
	now, _ := to.words(after)
	ok, again := s.completes(), make([]bool, len(s.electrons))
	for i, e := range to.electrons {
		again[i] = !ok[i] || !slices.Equal(was[i], now[i])
		for _, j := range e.order {
			again[i] = again[i] || again[j]
		}
	}
	return again
}

// edit changes some constants, as replace_electrons does.
func (s *sums) edit(t *rapid.T) (*sums, map[string][]byte) {
	to := &sums{electrons: slices.Clone(s.electrons)}
	docs := map[string][]byte{}
	for i := range to.electrons {
		if rapid.IntRange(0, 7).Draw(t, "edit") == 0 {
			to.electrons[i].constant = rapid.IntRange(0, 2).Draw(t, "new constant")
			docs["e"+strconv.Itoa(i)] = []byte(to.electron(i))
		}
	}
	return to, docs
}

func drawInputs(t *rapid.T) []int {
	return rapid.SliceOfN(rapid.IntRange(0, 3), 4, 4).Draw(t, "inputs")
}

func inputsOf(is []int) map[string]any {
	m := map[string]any{}
	for k, v := range is {
		m["i"+strconv.Itoa(k)] = int64(v)
	}
	return m
}

// A redispatch that reuses gives what one that doesn't would give, runs exactly what
// has to run, and does what its plan said; restarts in between change nothing.
func TestReuse_is_as_good_as_running_all(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p)
		h.opts.Parallel = 3
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			s := drawSums(rt)
			first := ""
			p.act = func(_ context.Context, t executors.Task, _ int) (executors.Result, error) {
				time.Sleep(time.Millisecond)
				i, err := strconv.Atoi(t.Electron[1:])
				if err == nil && s.electrons[i].fails && t.Dispatch == first {
					return failure("exit_code"), nil
				}
				sum := 0
				for _, w := range t.Argv[1:] {
					n, err := strconv.Atoi(w)
					if err != nil {
						return executors.Result{}, executors.Permanent(err)
					}
					sum += n
				}
				return value(strconv.Itoa(sum % 3)), err
			}
			h.start()
			defer func() { h.stop() }()
			inputs := drawInputs(rt)
			g, _, err := h.d.Accept(t.Context(), dispatcher.Request{Document: []byte(s.document()), Inputs: inputsOf(inputs), DisableRun: true})
			if err != nil {
				rt.Fatal(err)
			}
			first = g.ID
			if _, err := h.d.Start(t.Context(), first); err != nil {
				rt.Fatal(err)
			}
			h.end(first)
			parent := first
			for range rapid.IntRange(1, 3).Draw(rt, "generations") {
				to, docs := s.edit(rt)
				after := drawInputs(rt)
				want := s.runsAgain(to, inputs, after)
				r := dispatcher.Request{Inputs: inputsOf(after), Replace: docs}
				full, _, err := h.d.Redispatch(t.Context(), parent, r)
				if err != nil {
					rt.Fatal(err)
				}
				r.Reuse = true
				plan, err := h.d.PlanRedispatch(t.Context(), parent, r)
				if err != nil {
					rt.Fatal(err)
				}
				reused, _, err := h.d.Redispatch(t.Context(), parent, r)
				if err != nil {
					rt.Fatal(err)
				}
				for range rapid.IntRange(0, 2).Draw(rt, "restarts") {
					time.Sleep(rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Millisecond}).Draw(rt, "after"))
					h.stop()
					h.start()
				}
				full, reused = h.end(full.ID), h.end(reused.ID)
				if full.Status != graph.Completed || reused.Status != full.Status || string(full.Result) != string(reused.Result) {
					rt.Fatalf("in full it is %s %s, reusing %s %s", full.Status, full.Result, reused.Status, reused.Result)
				}
				to.checkReuse(rt, h, p, reused, want, plan)
				s, inputs, parent = to, after, reused.ID
				for i := range s.electrons {
					s.electrons[i].fails = false
				}
			}
			synctest.Wait()
			if n := p.held(); n > 0 {
				rt.Fatalf("%d attempts were not released", n)
			}
		})
	})
}

func (s *sums) checkReuse(rt *rapid.T, h *house, p *player, g graph.Dispatch, want []bool, plan dispatcher.Plan) {
	for i, again := range want {
		e := h.electron(g.ID, "e"+strconv.Itoa(i))
		n := p.starts(g.ID, e.Name)
		if (n == 1) != again || n > 1 || (e.ReusedFrom == "") != again || e.Reuse == "" {
			rt.Fatalf("%s was started %d times, reused from %q (%s); to run again: %v\n%s", e.Name, n, e.ReusedFrom, e.Reuse, again, s.document())
		}
		switch foreseen := plan.Electrons[e.Index]; {
		case foreseen.Name != e.Name:
			rt.Fatalf("electron %d is %s, planned as %s", i, e.Name, foreseen.Name)
		case foreseen.Action == dispatcher.ActionDepends:
		case (foreseen.Action == dispatcher.ActionRun) != again:
			rt.Fatalf("%s was to be %s (%s), and %d attempts ran (%s)\n%s", e.Name, foreseen.Action, foreseen.Reason, n, e.Reuse, s.document())
		case strings.HasPrefix(e.Reuse, "it waits for "): // what its plan could not know
		case !strings.Contains(e.Reuse, foreseen.Reason):
			rt.Fatalf("%s was foreseen as %q, and is %q", e.Name, foreseen.Reason, e.Reuse)
		}
	}
}
