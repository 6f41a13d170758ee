package dispatcher_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// branches: a leads to b by data and c by order; d leads to e; f has a retry ahead.
const branches = `
lattice: branches
electrons:
  a: {run: [x]}
  b: {run: [x, "${{ electrons.a.result }}"]}
  c: {run: [x], wait_for: [b]}
  d: {run: [x]}
  e: {run: [x], wait_for: [d]}
  f: {run: [x], retries: {max: 3, backoff: 1000h}}
  g: {run: [x], wait_for: [f]}
output: done
`

// branching lets a and d run for an hour, and f fail.
func branching(ctx context.Context, t executors.Task, _ int) (executors.Result, error) {
	switch t.Electron {
	case "a", "d":
		select {
		case <-time.After(time.Hour):
		case <-ctx.Done():
			time.Sleep(time.Minute) // it takes a while to end
		}
	case "f":
		return failure("exit_code"), nil
	}
	return value("1"), nil
}

func (h *house) cancelElectrons(id string, named ...string) graph.Dispatch {
	h.t.Helper()
	g, err := h.d.CancelElectrons(h.t.Context(), id, named)
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

func (h *house) expect(id string, want map[string]graph.Status) {
	h.t.Helper()
	for name, status := range want {
		if e := h.electron(id, name); e.Status != status {
			h.t.Errorf("%s is %s (%s), want %s", name, e.Status, e.Reason, status)
		}
	}
}

func branched(t *testing.T, f func(h *house, p *player, g graph.Dispatch)) {
	t.Helper()
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = branching
		h := newHouse(t, p).start()
		g := h.submit(branches, nil)
		h.untilRunning(g.ID)
		f(h, p, g)
		synctest.Wait()
		if n := p.held(); n != 0 {
			t.Errorf("%d attempts were not released", n)
		}
	})
}

func TestCancelElectrons_ends_what_runs_and_all_that_needs_it(t *testing.T) {
	branched(t, func(h *house, _ *player, g graph.Dispatch) {
		h.cancelElectrons(g.ID, "a")
		synctest.Wait()
		h.expect(g.ID, map[string]graph.Status{"a": graph.Running, "b": graph.Cancelled, "c": graph.Cancelled, "d": graph.Running})
		es := []graph.Electron{h.electron(g.ID, "a")}
		if err := h.d.ExplainElectrons(h.t.Context(), h.until(g.ID, running), es); err != nil || es[0].Waiting == nil || es[0].Waiting.Code != "cancel" {
			h.t.Errorf("a waits for %+v: %v", es[0].Waiting, err)
		}
		h.cancelElectrons(g.ID, "f")
		if g = h.end(g.ID); g.Status != graph.Cancelled || !g.CancelRequestedAt.IsZero() {
			h.t.Errorf("it ended %s, asked at %s", g.Status, g.CancelRequestedAt)
		}
		h.expect(g.ID, map[string]graph.Status{
			"a": graph.Cancelled, "b": graph.Cancelled, "c": graph.Cancelled, "d": graph.Completed,
			"e": graph.Completed, "f": graph.Cancelled, "g": graph.Cancelled,
		})
	})
}

func running(g graph.Dispatch) bool { return g.Status == graph.Running }

func TestCancelElectrons_of_what_is_pending(t *testing.T) {
	branched(t, func(h *house, p *player, g graph.Dispatch) {
		h.cancelElectrons(g.ID, "e", "f")
		h.cancelElectrons(g.ID, "e") // twice
		if g = h.end(g.ID); g.Status != graph.Cancelled {
			h.t.Errorf("it ended %s", g.Status)
		}
		h.expect(g.ID, map[string]graph.Status{"c": graph.Completed, "d": graph.Completed, "e": graph.Cancelled, "g": graph.Cancelled})
		if n := p.starts(g.ID, "e"); n != 0 {
			h.t.Errorf("e was started %d times", n)
		}
	})
}

func TestCancelElectrons_of_what_has_ended_ends_what_needs_it(t *testing.T) {
	branched(t, func(h *house, _ *player, g graph.Dispatch) {
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		h.cancelElectrons(g.ID, "a", "f")
		g = h.end(g.ID)
		h.expect(g.ID, map[string]graph.Status{"a": graph.Completed, "c": graph.Completed, "f": graph.Cancelled})
		if again := h.cancelElectrons(g.ID, "a"); again.Status != g.Status || !again.EndedAt.Equal(g.EndedAt) {
			h.t.Errorf("of a dispatch that is over it gives %+v", again)
		}
	})
}

func TestCancelElectrons_refuses_unknown_names(t *testing.T) {
	branched(t, func(h *house, _ *player, g graph.Dispatch) {
		var found *graph.Invalid
		_, err := h.d.CancelElectrons(h.t.Context(), g.ID, []string{"a", "nope"})
		if !errors.As(err, &found) || found.Problems[0].Path != "electrons[1]" {
			h.t.Errorf("it gives %v", err)
		}
		h.expect(g.ID, map[string]graph.Status{"a": graph.Running, "b": graph.Pending})
		if _, err := h.d.CancelElectrons(h.t.Context(), "99", []string{"a"}); !errors.Is(err, triggers.ErrNotFound) {
			h.t.Errorf("an unknown dispatch gives %v", err)
		}
		h.cancel(g.ID)
		h.end(g.ID)
	})
}

// The answer is durable: whoever dies right after it takes it up again.
func TestCancelElectrons_survives_a_crash_right_after_the_answer(t *testing.T) {
	branched(t, func(h *house, p *player, g graph.Dispatch) {
		h.stop()
		h.make() // nobody walks: the marks are only stored
		h.cancelElectrons(g.ID, "a", "f")
		h.start()
		if g = h.end(g.ID); g.Status != graph.Cancelled || p.starts(g.ID, "a") != 1 || p.starts(g.ID, "b") != 0 {
			h.t.Errorf("it ended %s after %d and %d starts", g.Status, p.starts(g.ID, "a"), p.starts(g.ID, "b"))
		}
		h.expect(g.ID, map[string]graph.Status{"a": graph.Cancelled, "c": graph.Cancelled, "e": graph.Completed, "g": graph.Cancelled})
	})
}

func TestCancelElectrons_of_what_has_not_begun(t *testing.T) {
	for _, c := range []struct {
		name    string
		restart bool
		new     bool
	}{{"at once", false, false}, {"after a restart", true, false}, {"of a template", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				p.act = branching
				h := newHouse(t, p)
				if c.restart {
					h.make()
				} else {
					h.opts.Window = 1
					h.start()
				}
				other := h.submit("lattice: o\nelectrons:\n  a: {run: [x]}\n", nil)
				r := request(branches, nil)
				r.DisableRun = c.new
				g, _, err := h.d.Accept(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				h.cancelElectrons(g.ID, "a", "f")
				h.expect(g.ID, map[string]graph.Status{"a": graph.Pending})
				if c.restart {
					h.start()
				}
				h.end(other.ID)
				if c.new {
					if _, err := h.d.Start(t.Context(), g.ID); err != nil {
						t.Fatal(err)
					}
				}
				if g = h.end(g.ID); g.Status != graph.Cancelled || p.starts(g.ID, "a") != 0 || p.starts(g.ID, "d") != 1 {
					t.Errorf("it ended %s after %v", g.Status, p.startOrder())
				}
				h.expect(g.ID, map[string]graph.Status{"a": graph.Cancelled, "c": graph.Cancelled, "e": graph.Completed})
			})
		})
	}
}

// A walker that has read the dispatch before the marks came must not begin it.
func TestCancelElectrons_at_the_moment_when_it_begins(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = branching
		h := newHouse(t, p)
		var once sync.Once
		h.st.onAdvance(func(s graph.Step, do func() error) error {
			once.Do(func() {
				if _, n, err := h.st.RequestCancelElectrons(t.Context(), s.Dispatch, map[int]string{0: "a", 1: "b", 2: "c", 5: "f", 6: "g"}); err != nil || n != 5 {
					t.Errorf("%d marks: %v", n, err)
				}
			})
			return do()
		})
		h.start()
		g := h.end(h.submit(late(branches), nil).ID)
		if g.Status != graph.Cancelled || p.starts(g.ID, "a") != 0 || p.starts(g.ID, "d") != 1 {
			t.Errorf("it ended %s after %v", g.Status, p.startOrder())
		}
	})
}

func TestCancelElectrons_races_with_ends(t *testing.T) {
	p := newPlayer()
	h := newHouse(t, p).start()
	for range 30 {
		g := h.submit("lattice: r\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], wait_for: [a]}\n  c: {run: [x]}\n", nil)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, err := h.d.CancelElectrons(t.Context(), g.ID, []string{"a"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		g = h.end(g.ID)
		a, b := h.electron(g.ID, "a"), h.electron(g.ID, "b")
		want := graph.Completed
		if a.Status == graph.Cancelled || b.Status == graph.Cancelled {
			want = graph.Cancelled
		}
		if g.Status != want || (a.Status == graph.Cancelled && b.Status != graph.Cancelled) || h.electron(g.ID, "c").Status != graph.Completed {
			t.Errorf("a is %s, b %s, the dispatch %s", a.Status, b.Status, g.Status)
		}
	}
}

func TestCancelElectrons_ends_the_repeating_of_what_was_lost(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(ctx context.Context, _ executors.Task, _ int) (executors.Result, error) {
			<-ctx.Done()
			return executors.Result{}, executors.ErrLost
		}
		h := newHouse(t, p).start()
		g := h.submit("lattice: l\nelectrons:\n  a: {run: [x], retries: {max: 5, lost: 5}}\n", nil)
		h.untilRunning(g.ID)
		h.cancelElectrons(g.ID, "a")
		if g = h.end(g.ID); g.Status != graph.Cancelled || len(h.electron(g.ID, "a").Attempts) != 1 {
			t.Errorf("it ended %s after %+v", g.Status, h.electron(g.ID, "a").Attempts)
		}
	})
}
