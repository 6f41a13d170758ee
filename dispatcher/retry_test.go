package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// failing fails the first n tries of every electron.
func failing(n int) func(context.Context, executors.Task, int) (executors.Result, error) {
	return func(_ context.Context, _ executors.Task, try int) (executors.Result, error) {
		if try <= n {
			return failure("exit_code"), nil
		}
		return value(fmt.Sprint(try)), nil
	}
}

func statuses(e graph.Electron) []graph.Status {
	var ss []graph.Status
	for _, a := range e.Attempts {
		ss = append(ss, a.Status)
	}
	return ss
}

func TestRetry_waits_and_tries_again(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = failing(2)
		h := newHouse(t, p).start()
		g := h.submit("lattice: r\nelectrons:\n  a: {run: [x], retries: {max: 3, backoff: 10m}}\n", nil)
		h.until(g.ID, func(g graph.Dispatch) bool { return g.Waiting != nil })
		e := h.electron(g.ID, "a")
		if e.Status != graph.Pending || e.Reason != graph.ReasonRetry || e.Waiting == nil || e.Waiting.Code != "retry" || e.Waiting.Until == nil {
			t.Fatalf("while it waits it is %+v", e)
		}
		if d := time.Until(*e.Waiting.Until); d > 10*time.Minute {
			t.Errorf("it waits %v before the first retry", d)
		}
		g = h.end(g.ID)
		if g.Status != graph.Completed || string(g.Result) != `{"a":3}` || g.Waiting != nil {
			t.Errorf("it ended %s with %s, waiting %+v", g.Status, g.Result, g.Waiting)
		}
		e = h.electron(g.ID, "a")
		if diff := cmp.Diff([]graph.Status{graph.Failed, graph.Failed, graph.Completed}, statuses(e)); diff != "" {
			t.Error(diff)
		}
		if e.Error != nil || e.Waiting != nil || e.Reason != "" {
			t.Errorf("of its failures remains %+v", e)
		}
		synctest.Wait() // released comes after stored
		if kept := len(p.released); kept != 3 || h.d.Stats().Retries != 2 {
			t.Errorf("%d attempts were released, %d retries counted", kept, h.d.Stats().Retries)
		}
	})
}

func TestRetry_ends_with_the_last_error_when_they_are_used_up(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = failing(99)
		h := newHouse(t, p).start()
		g := h.run("lattice: r\nelectrons:\n  a: {run: [x], retries: {max: 2, backoff: 1s}}\n", nil)
		e := h.electron(g.ID, "a")
		last := e.Attempts[len(e.Attempts)-1]
		want := &graph.Error{Code: "exit_code", Message: "it ended with exit_code", Electron: "a", Attempt: last.ID}
		if g.Status != graph.Failed || len(e.Attempts) != 3 {
			t.Errorf("it ended %s after %d attempts", g.Status, len(e.Attempts))
		}
		if diff := cmp.Diff([]*graph.Error{want, want, want}, []*graph.Error{g.Error, e.Error, last.Error}); diff != "" {
			t.Error(diff)
		}
		synctest.Wait() // released comes after stored
		for id, keep := range p.released {
			if !keep {
				t.Errorf("the directory of failed attempt %s is not kept", id)
			}
		}
	})
}

func TestRetry_survives_a_restart(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = failing(1)
		h := newHouse(t, p).start()
		g := h.submit("lattice: r\nelectrons:\n  a: {run: [x], retries: {max: 1, backoff: 24h}}\n", nil)
		h.until(g.ID, func(g graph.Dispatch) bool { return g.Waiting != nil })
		until := *h.electron(g.ID, "a").Waiting.Until
		h.stop()
		h.start()
		synctest.Wait()
		if e := h.electron(g.ID, "a"); e.Waiting == nil || !e.Waiting.Until.Equal(until) {
			t.Errorf("after the restart it waits %+v, want until %v", e.Waiting, until)
		}
		if g = h.end(g.ID); g.Status != graph.Completed || time.Now().Before(until) {
			t.Errorf("it ended %s at %v, the retry was for %v", g.Status, time.Now(), until)
		}
	})
}

func TestRetry_not_after_a_permanent_failure(t *testing.T) {
	p := newPlayer()
	p.act = func(context.Context, executors.Task, int) (executors.Result, error) {
		return executors.Result{}, executors.Permanent(executors.Failf(executors.CodeCommandNotFound, "no gnuplot on its PATH"))
	}
	h := newHouse(t, p).start()
	g := h.run("lattice: r\nelectrons:\n  a: {run: [x], retries: {max: 5}}\n", nil)
	if g.Status != graph.Failed || g.Error.Code != "command_not_found" || g.Error.Message != "no gnuplot on its PATH" || p.starts(g.ID, "a") != 1 {
		t.Errorf("it ended %s after %d tries: %+v", g.Status, p.starts(g.ID, "a"), g.Error)
	}
}

func TestRetry_of_lost_attempts_has_a_budget_of_its_own(t *testing.T) {
	for name, c := range map[string]struct {
		retries string
		lost    int // tries that are lost
		want    graph.Status
		tries   int
	}{
		"one_is_free":       {"{max: 0}", 1, graph.Completed, 2},
		"two_are_not":       {"{max: 5, backoff: 1s}", 2, graph.Failed, 2},
		"unless_allowed":    {"{lost: 2}", 2, graph.Completed, 3},
		"or_none_is_wanted": {"{lost: 0}", 1, graph.Failed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				p.act = func(_ context.Context, _ executors.Task, try int) (executors.Result, error) {
					if try <= c.lost {
						return executors.Result{}, fmt.Errorf("the machine was restarted: %w", executors.ErrLost)
					}
					return value("1"), nil
				}
				h := newHouse(t, p).start()
				g := h.run("lattice: r\nelectrons:\n  a: {run: [x], retries: "+c.retries+"}\n", nil)
				if g.Status != c.want || p.starts(g.ID, "a") != c.tries {
					t.Errorf("it ended %s after %d tries", g.Status, p.starts(g.ID, "a"))
				}
				if e := h.electron(g.ID, "a"); e.Attempts[0].Status != graph.Lost {
					t.Errorf("the attempt is %s", e.Attempts[0].Status)
				}
				if c.want == graph.Failed && g.Error.Code != "lost" {
					t.Errorf("the error is %+v", g.Error)
				}
			})
		})
	}
}

func TestUnknown_is_shown_asked_again_and_never_failed(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		back := time.Now().Add(72 * time.Hour)
		p.door = func(_ context.Context, task executors.Task) error {
			if time.Now().Before(back) {
				return fmt.Errorf("the host doesn't answer: %w", executors.ErrUnknown)
			}
			if task.Handle == nil {
				return errors.New("asked again without the handle")
			}
			return nil
		}
		p.act = func(context.Context, executors.Task, int) (executors.Result, error) {
			time.Sleep(time.Hour)
			return value("1"), nil
		}
		h := newHouse(t, p).start()
		g := h.submit("lattice: u\nelectrons:\n  a: {run: [x]}\n", nil)
		time.Sleep(48 * time.Hour)
		e := h.electron(g.ID, "a")
		if e.Status != graph.Running || e.Attempts[0].Status != graph.Unknown || e.Waiting == nil || e.Waiting.Code != "unknown" {
			t.Fatalf("after two days it is %+v", e)
		}
		if g := h.until(g.ID, func(graph.Dispatch) bool { return true }); g.Status != graph.Running || g.Waiting == nil || g.Waiting.Code != "unknown" {
			t.Errorf("the dispatch is %s, waiting %+v", g.Status, g.Waiting)
		}
		steps := h.st.steps.Load()
		time.Sleep(20 * time.Hour)
		if n := h.st.steps.Load() - steps; n > 0 {
			t.Errorf("%d commits to say the same again", n)
		}
		time.Sleep(4*time.Hour + 40*time.Minute) // it answers, and is watched again
		e = h.electron(g.ID, "a")
		if e.Status != graph.Running || e.Attempts[0].Status != graph.Running || e.Waiting != nil {
			t.Errorf("once it answers it is %+v", e)
		}
		if g = h.end(g.ID); g.Status != graph.Completed || len(h.electron(g.ID, "a").Attempts) != 1 {
			t.Errorf("it ended %s", g.Status)
		}
	})
}

func TestExecutor_that_can_not_start_now_is_shown_and_tried_again(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		back := time.Now().Add(10 * time.Minute)
		p.door = func(context.Context, executors.Task) error {
			if time.Now().Before(back) {
				return errors.New("the runner's socket is not there")
			}
			return nil
		}
		h := newHouse(t, p).start()
		g := h.submit("lattice: u\nelectrons:\n  a: {run: [x]}\n", nil)
		g = h.until(g.ID, func(g graph.Dispatch) bool { return g.Waiting != nil })
		e := h.electron(g.ID, "a")
		if e.Waiting == nil || e.Waiting.Code != "executor" || e.Waiting.Detail != "the runner's socket is not there" || g.Waiting.Code != "executor" {
			t.Errorf("it waits %+v, the dispatch %+v", e.Waiting, g.Waiting)
		}
		if g = h.end(g.ID); g.Status != graph.Completed || p.starts(g.ID, "a") != 1 {
			t.Errorf("it ended %s after %d starts", g.Status, p.starts(g.ID, "a"))
		}
	})
}

func TestExecutor_panic_is_not_an_end(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		first := true
		p.door = func(context.Context, executors.Task) error {
			if first {
				first = false
				panic("boom")
			}
			return nil
		}
		h := newHouse(t, p).start()
		if g := h.run("lattice: u\nelectrons:\n  a: {run: [x]}\n", nil); g.Status != graph.Completed || len(h.electron(g.ID, "a").Attempts) != 1 {
			t.Errorf("it ended %s", g.Status)
		}
	})
}

func TestExecutor_that_is_not_configured_is_waited_for(t *testing.T) {
	simulate(t, func(t *testing.T) {
		h := newHouse(t, newPlayer()).start()
		g := h.submit("lattice: u\nelectrons:\n  a: {run: [x], executor: slurm}\n", nil)
		g = h.until(g.ID, func(g graph.Dispatch) bool { return g.Waiting != nil })
		if g.Status != graph.Running || g.Waiting.Code != "executor" || g.Counts.Pending != 1 {
			t.Errorf("it is %s, waiting %+v", g.Status, g.Waiting)
		}
		if g, err := h.d.Cancel(t.Context(), g.ID); err != nil {
			t.Error(g, err)
		}
		if g = h.end(g.ID); g.Status != graph.Cancelled {
			t.Errorf("it ended %s", g.Status)
		}
	})
}
