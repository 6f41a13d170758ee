package dispatcher_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// patient takes d for each attempt.
func patient(d time.Duration) func(context.Context, executors.Task, int) (executors.Result, error) {
	return func(ctx context.Context, _ executors.Task, _ int) (executors.Result, error) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return value("1"), nil
	}
}

func TestStop_leaves_attempts_running_and_the_next_one_collects_them(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Hour)
		h := newHouse(t, p).start()
		g := h.submit(two, nil)
		h.untilRunning(g.ID)
		at := time.Now()
		h.stop()
		if d := time.Since(at); d > time.Second {
			t.Errorf("stopping took %v", d)
		}
		if g := h.until(g.ID, func(graph.Dispatch) bool { return true }); g.Status != graph.Running || g.Counts.Running != 1 {
			t.Errorf("while nobody looks it is %s: %+v", g.Status, g.Counts)
		}
		time.Sleep(2 * time.Hour) // it ends while nobody looks
		h.start()
		g = h.end(g.ID)
		synctest.Wait()
		if g.Status != graph.Completed || p.starts(g.ID, "a") != 1 || p.starts(g.ID, "b") != 1 || len(p.overlaps) > 0 {
			t.Errorf("it ended %s after %d and %d starts", g.Status, p.starts(g.ID, "a"), p.starts(g.ID, "b"))
		}
		if n := p.held(); n != 0 {
			t.Errorf("%d attempts were not released", n)
		}
	})
}

func TestStop_while_nothing_is_to_do(t *testing.T) {
	h := newHouse(t, newPlayer()).start()
	h.stop()
	h.start()
	h.d.Wake()
	h.d.Wake()
}

// dieAfter makes every Advance that is like which fail from then on, though the first
// one is done: what a process sees of a commit when it dies right after.
func dieAfter(h *house, which func(graph.Step) bool) (dead chan struct{}) {
	dead = make(chan struct{})
	var died atomic.Bool
	h.st.onAdvance(func(s graph.Step, do func() error) error {
		if died.Load() {
			return errors.New("this process is dead")
		}
		err := do()
		if which(s) {
			died.Store(true)
			close(dead)
			return errors.New("this process has died")
		}
		return err
	})
	return dead
}

func (h *house) reborn() *house {
	h.stop()
	h.st.advance.Store(nil)
	return h.start()
}

func TestCrash_between_the_commit_of_a_start_and_the_start(t *testing.T) {
	for name, cancel := range map[string]bool{"it_is_started": false, "unless_it_was_cancelled": true} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				h := newHouse(t, p)
				dead := dieAfter(h, func(s graph.Step) bool { return len(s.Starts) > 0 })
				h.start()
				g := h.submit(late("lattice: c\nelectrons:\n  a: {run: [x]}\n"), nil)
				<-dead
				if n := p.starts(g.ID, "a"); n != 0 {
					t.Fatalf("it was started %d times before the crash", n)
				}
				want, starts := graph.Completed, 1
				if cancel {
					h.cancel(g.ID)
					want, starts = graph.Cancelled, 0
				}
				h.reborn()
				g = h.end(g.ID)
				if g.Status != want || p.starts(g.ID, "a") != starts || len(h.electron(g.ID, "a").Attempts) != 1 {
					t.Errorf("it ended %s after %d starts", g.Status, p.starts(g.ID, "a"))
				}
			})
		})
	}
}

func TestCrash_between_the_end_and_its_commit(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p)
		h.st.onAdvance(func(s graph.Step, do func() error) error {
			if len(s.Ends) > 0 {
				return errors.New("this process is dead")
			}
			return do()
		})
		h.start()
		g := h.submit(two, nil)
		time.Sleep(time.Minute)
		if h.d.Stats().StepRetries == 0 || p.starts(g.ID, "b") != 0 || p.held() != 1 {
			t.Errorf("before the crash: %+v, %d held", h.d.Stats(), p.held())
		}
		h.reborn()
		g = h.end(g.ID)
		if g.Status != graph.Completed || p.starts(g.ID, "a") != 1 || len(h.electron(g.ID, "a").Attempts) != 1 {
			t.Errorf("it ended %s after %d starts", g.Status, p.starts(g.ID, "a"))
		}
	})
}

func TestCrash_between_the_end_and_the_release(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p)
		dead := dieAfter(h, func(s graph.Step) bool { return s.Finish != nil })
		h.start()
		g := h.submit("lattice: c\nelectrons:\n  a: {run: [x]}\n", nil)
		<-dead
		if p.held() != 1 {
			t.Fatalf("%d attempts are held", p.held())
		}
		h.reborn()
		h.end(g.ID)
		synctest.Wait()
		if p.held() != 0 || len(p.settled) != 1 {
			t.Errorf("%d attempts are held, %d were settled", p.held(), len(p.settled))
		}
	})
}

func TestRecover_finds_values_of_electrons_that_ended_before(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(_ context.Context, task executors.Task, _ int) (executors.Result, error) {
			if task.Electron == "slow" {
				time.Sleep(time.Hour)
			}
			raw, err := json.Marshal(task.Argv[1:])
			return executors.Result{Value: raw, Stdout: &executors.File{Name: "stdout", Size: 3, Data: []byte("out")}}, err
		}
		h := newHouse(t, p).start()
		g := h.submit(`
lattice: r
electrons:
  a: {run: [x, one]}
  slow: {run: [x, two]}
  last: {run: [x, "${{ electrons.a.result[0] }}", "${{ electrons.slow.result[0] }}", "${{ electrons.a.stdout }}"]}
`, nil)
		h.until(g.ID, func(g graph.Dispatch) bool { return g.Counts.Completed == 1 })
		h.stop()
		h.start()
		if g = h.end(g.ID); string(g.Result) != `{"last":["one","two","out"]}` {
			t.Errorf("it ended %s with %s: %+v", g.Status, g.Result, g.Error)
		}
	})
}
