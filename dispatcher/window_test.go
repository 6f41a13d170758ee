package dispatcher_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
)

// counting counts how often pending dispatches are read.
func (h *house) counting() *atomic.Int64 {
	var n atomic.Int64
	count := func() error { n.Add(1); return nil }
	h.st.pending.Store(&count)
	return &n
}

func TestWindow_takes_up_what_finds_room_without_reading_it_again(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, newPlayer())
		reads := h.counting()
		h.start()
		synctest.Wait()
		for range 5 {
			before := h.st.steps.Load()
			if g := h.run(two, nil); g.Status != graph.Completed || g.StartedAt.Before(g.CreatedAt.Add(-time.Second)) {
				t.Errorf("it ended %+v", g)
			}
			if n := h.st.steps.Load() - before; n != 2 { // it began as it was stored
				t.Errorf("a chain of two took %d steps", n)
			}
		}
		synctest.Wait()
		if n := reads.Load(); n != 1 {
			t.Errorf("pending dispatches were read %d times", n)
		}
	})
}

func TestWindow_goes_by_the_table_when_it_was_full(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Minute)
		h := newHouse(t, p)
		h.opts.Window = 2
		h.start()
		var want []string
		var last graph.Dispatch
		for i := range 9 {
			last = h.submit("lattice: o\nelectrons:\n  a: {run: [x]}\n", nil)
			want = append(want, fmt.Sprintf("%d/a", i+1))
		}
		h.end(last.ID)
		got := p.startOrder()
		for i := range got { // of two that began at the same time either may be first
			if d := slices.Index(want, got[i]) - i; d < -1 || d > 1 {
				t.Errorf("order %v", got)
			}
		}
		if len(got) != len(want) || p.most > 2 {
			t.Errorf("%d started, %d at a time", len(got), p.most)
		}
	})
}

func TestWindow_is_left_by_what_is_cancelled_before_it_began(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Hour)
		h := newHouse(t, p)
		var ended atomic.Int64
		h.opts.Parallel, h.opts.Ended = 1, func(graph.Dispatch) { ended.Add(1) }
		h.start()
		const one = "lattice: o\nelectrons:\n  a: {run: [x]}\n"
		first := h.submit(one, nil)
		h.untilRunning(first.ID)
		second := h.submit(one, nil)
		synctest.Wait()
		if n := h.d.Stats().Live; n != 2 {
			t.Fatalf("%d are live", n)
		}
		if g := h.cancel(second.ID); g.Status != graph.Cancelled {
			t.Errorf("it is %s", g.Status)
		}
		synctest.Wait()
		if s := h.d.Stats(); s.Live != 1 || s.Restarts != 0 || ended.Load() != 1 {
			t.Errorf("%d ends, %+v", ended.Load(), s)
		}
		if g := h.end(first.ID); g.Status != graph.Completed || p.starts(second.ID, "a") != 0 {
			t.Errorf("the first ended %s, the cancelled started %d times", g.Status, p.starts(second.ID, "a"))
		}
	})
}

func TestWindow_a_cancellation_just_before_the_beginning_wins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p)
		var ended atomic.Int64
		h.opts.Ended = func(graph.Dispatch) { ended.Add(1) }
		h.st.onAdvance(func(s graph.Step, do func() error) error {
			if !s.Begin.IsZero() {
				h.cancel(s.Dispatch)
			}
			return do()
		})
		h.start()
		g := h.run(late(two), nil)
		synctest.Wait()
		if s := h.d.Stats(); g.Status != graph.Cancelled || s.Live != 0 || s.Restarts != 0 || s.Running["local"] != 0 || ended.Load() != 1 {
			t.Errorf("it is %s, %d ends, %+v", g.Status, ended.Load(), s)
		}
		if n := p.starts(g.ID, "a"); n != 0 {
			t.Errorf("it was started %d times", n)
		}
	})
}

func TestWindow_what_was_accepted_before_a_run_is_found_in_the_table(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, newPlayer()).make()
		early := h.submit(two, nil)
		h.start()
		if g := h.end(early.ID); g.Status != graph.Completed {
			t.Errorf("it ended %s", g.Status)
		}
		h.stop()
		late := h.submit(two, nil) // to a dispatcher whose Run has returned
		synctest.Wait()
		if g := h.until(late.ID, func(graph.Dispatch) bool { return true }); g.Status != graph.Pending {
			t.Errorf("it is %s", g.Status)
		}
		h.start()
		if g := h.end(late.ID); g.Status != graph.Completed {
			t.Errorf("it ended %s", g.Status)
		}
	})
}
