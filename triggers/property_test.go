package triggers_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// step is one thing that happens to a trigger.
type step struct {
	what   string
	n      int
	d      time.Duration
	events []modelEvent
	edit   triggers.Gate
}

func (s step) String() string {
	switch s.what {
	case "events":
		var out []string
		for _, e := range s.events {
			out = append(out, fmt.Sprintf("%d{key %q ok %v complete %v backfill %v amends %v}", e.n, e.key, e.ok, e.complete, e.backfill, e.Amends))
		}
		return "events " + strings.Join(out, " ")
	case "edit":
		g := s.edit
		return fmt.Sprintf("edit %s max %d size %d wait %s rate %s", g.Overlap, g.Max, g.Size, g.Wait, g.Rate)
	case "wait":
		return "wait " + s.d.String()
	}
	return fmt.Sprint(s.what, " ", s.n)
}

// What drawSteps makes up.
type draws int

const (
	drawAll    draws = iota
	drawSimple       // what is fired in order
)

// drawSteps makes up what happens.
func drawSteps(t *rapid.T, of draws) []step {
	simple := of == drawSimple
	seen := 0
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		s := step{n: rapid.IntRange(1, 4).Draw(t, "n")}
		s.what = rapid.SampledFrom([]string{
			"events", "events", "events", "events", "events", "end", "end", "end", "begin", "begin", "wait", "wait", "wait",
			"edit", "pause", "resume fire", "resume skip", "restart", "by hand",
		}).Draw(t, "what")
		switch s.what {
		case "wait":
			s.d = time.Duration(rapid.SampledFrom([]int{1, 20, 45, 60, 100, 300, 3600}).Draw(t, "seconds")) * time.Second
		case "events":
			for range s.n {
				e := modelEvent{n: seen + 1, ok: true, complete: true}
				if !simple && seen > 0 && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
					e.n = rapid.IntRange(1, seen).Draw(t, "which")
					e.Amends = rapid.Bool().Draw(t, "amends")
				} else {
					seen++
				}
				e.key = fmt.Sprint("u", e.n)
				if !simple {
					e.ok = rapid.IntRange(0, 7).Draw(t, "ok") > 0
					e.complete = rapid.IntRange(0, 4).Draw(t, "complete") > 0
					e.backfill = rapid.IntRange(0, 4).Draw(t, "backfill") == 0
					e.key = rapid.SampledFrom([]string{e.key, e.key, e.key, e.key, "a", "b", ""}).Draw(t, "key")
				}
				s.events = append(s.events, e)
			}
		case "edit":
			g := triggers.Gate{Size: rapid.IntRange(1, 3).Draw(t, "size"), Max: rapid.IntRange(1, 4).Draw(t, "max")}
			g.Overlap = rapid.SampledFrom([]triggers.Overlap{triggers.Allow, triggers.Skip, triggers.Queue, triggers.QueueLatest, triggers.Replace}).Draw(t, "overlap")
			if simple {
				g.Overlap = triggers.Queue
			}
			if g.Overlap == triggers.Allow {
				g.Max = 4 // the default
			}
			if g.Size > 1 {
				g.Wait = time.Duration(rapid.IntRange(1, 3).Draw(t, "wait")) * time.Minute
			}
			if rapid.Bool().Draw(t, "rated") {
				g.Rate = triggers.Rate{N: rapid.IntRange(1, 3).Draw(t, "rate"), Per: time.Duration(rapid.IntRange(1, 5).Draw(t, "per")) * time.Minute}
			}
			s.edit = g
		}
		return s
	}), 1, 60).Draw(t, "steps")
}

func patchOf(g triggers.Gate) []byte {
	limit, batch, rate := fmt.Sprint(g.Max), "null", "null"
	if g.Overlap == triggers.Allow {
		limit = "null"
	}
	if g.Size > 1 {
		batch = fmt.Sprintf(`{"size": %d, "wait": %q}`, g.Size, g.Wait)
	}
	if g.Rate.N > 0 {
		rate = fmt.Sprintf("%q", g.Rate)
	}
	return []byte(fmt.Sprintf(`{"overlap": %q, "max_in_flight": %s, "batch": %s, "rate": %s}`, g.Overlap, limit, batch, rate))
}

// modelled registers a trigger of which events say all that the model knows.
func (w *world) modelled(skipPaused bool) triggers.Trigger {
	w.made = func(m *triggers.Made) {
		m.SkipPaused, m.MaxInFlight = skipPaused, 4 // with more, the gate waits a little for several to end
		m.Event = graph.Env{"path": graph.String, "n": graph.Integer, "ok": graph.Boolean, "key": graph.Any}
		m.Judge = func(fields map[string]any, _ time.Time) triggers.Judgement {
			if fields["complete"] == false {
				return triggers.Judgement{Hold: triggers.ReasonIncomplete}
			}
			return triggers.Judgement{}
		}
	}
	return w.add(`"when": "${{ event.ok }}", "dedupe_key": "${{ event.key }}"`)
}

// do makes a step happen to the trigger and to the model.
func (w *world) do(tr triggers.Trigger, m *model, s step) error {
	var err error
	switch s.what {
	case "events":
		var b triggers.Batch
		for _, e := range s.events {
			b.Events = append(b.Events, e.event())
		}
		err = w.emit(b)
		m.happen(s.events)
	case "begin":
		w.ledger.BeginDispatches(tr.ID, s.n)
		m.begin(s.n)
	case "end":
		w.end(tr, s.n)
		m.end(s.n)
	case "wait":
		wait(s.d)
		m.pass(s.d)
	case "edit":
		_, _, err = w.manager.Patch(w.Context(), "t", patchOf(s.edit), triggers.Principal{})
		g := s.edit
		g.Paused, g.SkipNew, g.Render = m.gate.Paused, m.gate.SkipNew, m.gate.Render
		m.gate = g
		m.look()
	case "pause":
		_, err = w.manager.Pause(w.Context(), "t")
		m.gate.Paused = true
		m.look()
	case "resume fire", "resume skip":
		_, backlog, _ := strings.Cut(s.what, " ")
		_, err = w.manager.Resume(w.Context(), "t", backlog)
		m.resume(backlog)
	case "restart":
		w.restart()
	case "by hand":
		_, err = w.manager.Fire(w.Context(), "t", nil, triggers.Principal{})
		m.dispatches = append(m.dispatches, &modelDispatch{})
		m.look()
	case "drain":
		for range 150 {
			if !strings.Contains(strings.ReplaceAll(w.eventsOfGate(tr, false), ":held:incomplete", ""), ":held:") {
				break
			}
			w.end(tr, 4)
			wait(5 * time.Minute)
		}
	}
	synctest.Wait()
	return err
}

// firings lists the firings by the gate, each as its events.
func (w *world) firings(tr triggers.Trigger) (fired []string) {
	names := map[string]string{}
	for _, e := range w.ledger.Events(tr.ID) {
		names[e.ID] = strings.TrimPrefix(e.Key, "k")
	}
	for _, f := range w.ledger.Firings(tr.ID) {
		if f.Decision != triggers.EventFired || f.Reason == triggers.ReasonManual {
			continue
		}
		var of []string
		for _, id := range f.EventIDs {
			of = append(of, names[id])
		}
		fired = append(fired, strings.Join(of, "+"))
	}
	return fired
}

// soundness says what no trigger may ever do; empty when all is well.
func (w *world) soundness(tr triggers.Trigger) string {
	in := map[string]int{}
	for _, f := range w.ledger.Firings(tr.ID) {
		for _, id := range f.EventIDs {
			if in[id]++; in[id] > 1 {
				return "event " + id + " is in two firings"
			}
		}
	}
	for _, e := range w.ledger.Events(tr.ID) {
		if final := e.State != triggers.EventPending && e.State != triggers.EventHeld; final != (in[e.ID] == 1) {
			return fmt.Sprintf("event %s is %s with %d firings", e.Key, e.State, in[e.ID])
		}
		if e.State == triggers.EventPending || e.Reason == "" {
			return fmt.Sprintf("event %s is %s without a reason", e.Key, e.State)
		}
	}
	return ""
}

// eventsOfGate lists the events that a source emitted. In a pause, what waits for more
// than its end may be shown with either reason.
func (w *world) eventsOfGate(tr triggers.Trigger, paused bool) string {
	var out []string
	for _, one := range strings.Fields(w.states(tr)) {
		if one != triggers.ReasonManual && !strings.HasSuffix(one, ":fired:"+triggers.ReasonManual) {
			out = append(out, one)
		}
	}
	s := strings.Join(out, " ")
	if paused {
		s = strings.ReplaceAll(s, ":held:incomplete", ":held:paused")
	}
	return s
}

// besides runs a trigger and the model side by side, and returns what is different.
func besides(t *testing.T, steps []step, skipPaused bool, compare func(w *world, tr triggers.Trigger, m *model) string) (failure string) {
	inBubble(t, func(t *testing.T, w *world) {
		tr, m := w.modelled(skipPaused), newModel(skipPaused)
		for i, s := range steps {
			if err := w.do(tr, m, s); err != nil {
				failure = err.Error()
			} else if failure = compare(w, tr, m); failure == "" {
				failure = w.soundness(tr)
			}
			if failure != "" {
				failure = fmt.Sprintf("step %d, %s\n%s", i, s, failure)
				return
			}
		}
	})
	return failure
}

func differ(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf(" got %s\nwant %s", got, want)
}

// TestKeeper runs a trigger beside the model.
// Pain points 22, 23, 25, 26 and 28: whatever happens, each event is in one firing at
// most, none is lost, and all that waits goes on by itself.
func TestKeeper(t *testing.T) {
	t.Run("does_what_is_written_whatever_happens", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			steps, skipPaused := drawSteps(rt, drawAll), rapid.Bool().Draw(rt, "skip paused")
			failure := besides(t, steps, skipPaused, func(w *world, tr triggers.Trigger, m *model) string {
				return differ(w.eventsOfGate(tr, m.gate.Paused), m.states()) + differ(fmt.Sprint(w.firings(tr)), fmt.Sprint(m.fired))
			})
			if failure != "" {
				rt.Fatal(failure)
			}
		})
	})

	t.Run("keeps_the_order_when_memory_holds_a_few_only", func(t *testing.T) {
		defer triggers.SetWindow(3)()
		rapid.Check(t, func(rt *rapid.T) {
			steps := drawSteps(rt, drawSimple)
			failure := besides(t, steps, false, func(w *world, tr triggers.Trigger, m *model) string {
				return differ(fmt.Sprint(w.firings(tr)), fmt.Sprint(m.fired))
			})
			if failure != "" {
				rt.Fatal(failure)
			}
		})
	})

	t.Run("fires_no_more_than_it_may_and_leaves_nothing_waiting_for_nothing", func(t *testing.T) {
		defer triggers.SetWindow(3)()
		rapid.Check(t, func(rt *rapid.T) {
			steps := drawSteps(rt, drawAll)
			steps = append(steps, step{what: "resume fire"}, step{what: "drain"})
			left, gate := "", triggers.Gate{}
			failure := besides(t, steps, false, func(w *world, tr triggers.Trigger, m *model) string {
				left, gate = strings.ReplaceAll(w.eventsOfGate(tr, false), ":held:incomplete", ""), m.gate
				return w.excess(tr, m.gate)
			})
			if failure != "" || strings.Contains(left, ":held:") {
				rt.Fatalf("%s left with %+v: %s", failure, gate, left)
			}
		})
	})
}

// excess tells whether what was fired since the last time is more than the gate allows.
func (w *world) excess(tr triggers.Trigger, g triggers.Gate) string {
	var fired []time.Time
	for _, f := range w.ledger.Firings(tr.ID) {
		if f.Decision == triggers.EventFired && f.Reason != triggers.ReasonManual {
			fired = append(fired, f.At)
		}
	}
	before := w.checked
	w.checked = len(fired)
	if len(fired) == before {
		return ""
	}
	if n := g.Rate.N; n > 0 {
		for i := max(before, n); i < len(fired); i++ {
			if d := fired[i].Sub(fired[i-n]); d < g.Rate.Per {
				return fmt.Sprintf("%d firings in %s, with a rate of %s", n+1, d, g.Rate)
			}
		}
	}
	running := 0
	for _, d := range w.ledger.Dispatches(tr.ID) {
		if !d.Status.Terminal() {
			running++
		}
	}
	if g.Overlap != triggers.Allow && running > g.Max {
		return fmt.Sprintf("%d run, %d may", running, g.Max)
	}
	return ""
}
