package dispatcher_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// stubborn runs until it is cancelled, and then for as long again as grace.
func stubborn(grace time.Duration) func(context.Context, executors.Task, int) (executors.Result, error) {
	return func(ctx context.Context, _ executors.Task, _ int) (executors.Result, error) {
		<-ctx.Done()
		time.Sleep(grace)
		return executors.Result{Signal: "SIGKILL"}, nil
	}
}

const two = "lattice: c\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], wait_for: [a]}\n"

// untilRunning waits until attempts of a dispatch have begun.
func (h *house) untilRunning(id string) {
	h.t.Helper()
	h.until(id, func(g graph.Dispatch) bool { return g.Counts.Running > 0 })
	synctest.Wait() // recorded, and started
}

func (h *house) cancel(id string) graph.Dispatch {
	h.t.Helper()
	g, err := h.d.Cancel(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

func TestCancel_is_true_only_when_nothing_is_left(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = stubborn(time.Minute)
		h := newHouse(t, p).start()
		g := h.submit(two, nil)
		h.untilRunning(g.ID)
		if g := h.cancel("1"); g.Status != graph.Running || g.CancelRequestedAt.IsZero() {
			t.Errorf("asked to cancel it is %s", g.Status)
		}
		time.Sleep(30 * time.Second)
		if g := h.cancel(g.ID); g.Status != graph.Running {
			t.Errorf("while something of it runs it is %s", g.Status)
		}
		g = h.end(g.ID)
		if g.Status != graph.Cancelled || g.Error == nil || g.Error.Code != "cancelled" || g.Result != nil {
			t.Errorf("it ended %s: %+v", g.Status, g.Error)
		}
		if e := h.electron(g.ID, "a"); e.Status != graph.Cancelled || e.Attempts[0].Status != graph.Cancelled || e.Attempts[0].Signal != "SIGKILL" {
			t.Errorf("a is %+v", e)
		}
		if e := h.electron(g.ID, "b"); e.Status != graph.Cancelled || len(e.Attempts) != 0 {
			t.Errorf("b is %+v", e)
		}
		if again := h.cancel(g.ID); again.Status != graph.Cancelled || !again.EndedAt.Equal(g.EndedAt) {
			t.Errorf("cancelled again it is %+v", again)
		}
	})
}

func TestCancel_of_what_has_not_begun_is_immediate(t *testing.T) {
	h := newHouse(t, newPlayer())
	ended := 0
	h.opts.Ended = func(graph.Dispatch) { ended++ }
	h.make()
	pending := h.submit(two, nil)
	if g := h.cancel(pending.ID); g.Status != graph.Cancelled || g.EndedAt.IsZero() {
		t.Errorf("it is %s", g.Status)
	}
	r := request(two, nil)
	r.DisableRun = true
	template, _, err := h.d.Accept(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if g := h.cancel(template.ID); g.Status != graph.Cancelled {
		t.Errorf("it is %s", g.Status)
	}
	if ended != 2 {
		t.Errorf("%d ends were told", ended)
	}
	if _, err := h.d.Cancel(t.Context(), "99"); !errors.Is(err, triggers.ErrNotFound) {
		t.Errorf("an unknown dispatch gives %v", err)
	}
}

func TestCancel_leaves_an_end_that_came_first(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(context.Context, executors.Task, int) (executors.Result, error) {
			time.Sleep(time.Second) // it doesn't notice
			return value("1"), nil
		}
		h := newHouse(t, p).start()
		g := h.submit("lattice: c\nelectrons:\n  a: {run: [x]}\n", nil)
		h.untilRunning(g.ID)
		time.Sleep(time.Second - time.Nanosecond)
		h.cancel(g.ID)
		g = h.end(g.ID)
		if e := h.electron(g.ID, "a"); e.Status != g.Status {
			t.Errorf("the dispatch is %s, its only electron %s", g.Status, e.Status)
		}
	})
}

func TestCancel_ends_the_wait_for_a_retry_and_for_a_slot(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = failing(9)
		h := newHouse(t, p).start()
		g := h.submit("lattice: c\nelectrons:\n  a: {run: [x], retries: {max: 9, backoff: 1000h}}\n  b: {run: [x], wait_for: [a]}\n", nil)
		h.until(g.ID, func(g graph.Dispatch) bool { return g.Waiting != nil })
		at := time.Now()
		h.cancel(g.ID)
		if g = h.end(g.ID); g.Status != graph.Cancelled || time.Since(at) > time.Second {
			t.Errorf("it ended %s after %v", g.Status, time.Since(at))
		}
	})
}

func TestCancel_survives_a_restart(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = stubborn(time.Second)
		h := newHouse(t, p).start()
		g := h.submit(two, nil)
		h.untilRunning(g.ID)
		h.stop()
		h.make() // not running: the request is only stored
		h.cancel(g.ID)
		h.start()
		if g = h.end(g.ID); g.Status != graph.Cancelled || p.starts(g.ID, "a") != 1 || p.starts(g.ID, "b") != 0 {
			t.Errorf("it ended %s after %d and %d starts", g.Status, p.starts(g.ID, "a"), p.starts(g.ID, "b"))
		}
		synctest.Wait()
		if n := p.held(); n != 0 {
			t.Errorf("%d attempts were not released", n)
		}
	})
}

func TestCancel_of_an_unknown_attempt_waits_until_it_is_known(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = stubborn(0)
		var away atomic.Bool
		p.door = func(context.Context, executors.Task) error {
			if away.Load() {
				return executors.ErrUnknown
			}
			return nil
		}
		h := newHouse(t, p).start()
		g := h.submit(two, nil)
		h.untilRunning(g.ID)
		h.stop()
		away.Store(true)
		h.start()
		h.cancel(g.ID)
		time.Sleep(time.Hour)
		if g := h.cancel(g.ID); g.Status != graph.Running || g.Waiting == nil || g.Waiting.Code != "unknown" {
			t.Errorf("it is %s, waiting %+v", g.Status, g.Waiting)
		}
		away.Store(false)
		if g = h.end(g.ID); g.Status != graph.Cancelled {
			t.Errorf("it ended %s", g.Status)
		}
	})
}

func TestCancel_shows_survivors(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(ctx context.Context, task executors.Task, _ int) (executors.Result, error) {
			<-ctx.Done()
			task.Report("survivors", "pid 4711 sleeps in the kernel")
			time.Sleep(time.Hour)
			return executors.Result{}, nil
		}
		h := newHouse(t, p).start()
		g := h.submit(two, nil)
		h.untilRunning(g.ID)
		h.cancel(g.ID)
		g = h.until(g.ID, func(g graph.Dispatch) bool { return g.Reason != "" })
		if g.Status != graph.Running || g.Reason != "survivors" || g.Waiting == nil || g.Waiting.Detail != "a: pid 4711 sleeps in the kernel" {
			t.Errorf("it is %s (%s), waiting %+v", g.Status, g.Reason, g.Waiting)
		}
		if g = h.end(g.ID); g.Status != graph.Cancelled || g.Reason == "survivors" {
			t.Errorf("it ended %s (%s)", g.Status, g.Reason)
		}
	})
}

func TestCancel_of_two_at_the_same_time_tells_one_end(t *testing.T) {
	h := newHouse(t, newPlayer())
	var ended atomic.Int32
	h.opts.Ended = func(graph.Dispatch) { ended.Add(1) }
	h.make()
	for range 20 {
		g := h.submit(two, nil)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if g, err := h.d.Cancel(t.Context(), g.ID); err != nil || g.Status != graph.Cancelled {
					t.Errorf("it is %s: %v", g.Status, err)
				}
			})
		}
		wg.Wait()
	}
	if n := ended.Load(); n != 20 {
		t.Errorf("%d ends of 20 dispatches were told", n)
	}
}
