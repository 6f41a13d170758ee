package dispatcher_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

func TestStore_commit_that_only_seems_to_fail_runs_nothing_twice(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p)
		n := 0
		h.st.onAdvance(func(_ graph.Step, do func() error) error {
			err := do()
			if n++; n%2 == 1 && err == nil {
				return errors.New("the answer got lost")
			}
			return err
		})
		h.start()
		g := h.run("lattice: c\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], wait_for: [a]}\n  c: {run: [x], wait_for: [b]}\n", nil)
		if s := h.d.Stats(); g.Status != graph.Completed || s.StepRetries == 0 || s.Restarts != 0 {
			t.Errorf("it ended %s, %+v", g.Status, s)
		}
		for _, e := range []string{"a", "b", "c"} {
			if n := p.starts(g.ID, e); n != 1 {
				t.Errorf("%s was started %d times", e, n)
			}
		}
	})
}

func TestStore_full_disk_holds_and_loses_nothing(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(_ context.Context, task executors.Task, _ int) (executors.Result, error) {
			return value(`"` + strings.Repeat(task.Electron, 20<<10) + `"`), nil
		}
		h := newHouse(t, p)
		var full atomic.Bool
		h.st.onAdvance(func(s graph.Step, do func() error) error {
			if full.Load() {
				return syscall.ENOSPC
			}
			if len(s.Starts) > 0 {
				full.Store(true) // while the first electron runs
			}
			return do()
		})
		stage := func() error {
			if full.Load() {
				return syscall.ENOSPC
			}
			return nil
		}
		h.st.stage.Store(&stage)
		h.start()
		g := h.submit(late(two), nil)
		time.Sleep(time.Hour)
		if s := h.d.Stats(); s.StoreErrors == 0 {
			t.Errorf("nobody can see it: %+v", s)
		}
		h.st.onAdvance(func(_ graph.Step, do func() error) error { return do() })
		full.Store(false)
		g = h.end(g.ID)
		if g.Status != graph.Completed || p.starts(g.ID, "a") != 1 || p.starts(g.ID, "b") != 1 {
			t.Errorf("it ended %s after %d and %d starts", g.Status, p.starts(g.ID, "a"), p.starts(g.ID, "b"))
		}
	})
}

func TestStore_that_can_not_be_read_at_first(t *testing.T) {
	simulate(t, func(t *testing.T) {
		h := newHouse(t, newPlayer())
		n := 0
		fail := func() error {
			if n++; n < 5 {
				return errors.New("the database is locked")
			}
			return nil
		}
		h.st.pending.Store(&fail)
		h.start()
		if g := h.run(two, nil); g.Status != graph.Completed || h.d.Stats().StoreErrors != 4 {
			t.Errorf("it ended %s: %+v", g.Status, h.d.Stats())
		}
	})
}

func TestPanic_of_one_walker_is_its_own(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Second)
		h := newHouse(t, p)
		left := 3
		h.st.onAdvance(func(s graph.Step, do func() error) error {
			if len(s.Ends) > 0 && left > 0 {
				left--
				panic("a bug")
			}
			return do()
		})
		h.start()
		first, second := h.submit(two, nil), h.submit(two, nil)
		for _, g := range []graph.Dispatch{first, second} {
			if g = h.end(g.ID); g.Status != graph.Completed || p.starts(g.ID, "a") != 1 || p.starts(g.ID, "b") != 1 {
				t.Errorf("dispatch %d ended %s after %d and %d starts", g.Number, g.Status, p.starts(g.ID, "a"), p.starts(g.ID, "b"))
			}
		}
		if s := h.d.Stats(); s.Restarts != 3 || s.Running["local"] != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}
