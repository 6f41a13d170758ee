package dispatcher_test

import (
	"context"
	"testing"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// slowSettler lists what has ended while the dispatcher hasn't stored it yet, and settles
// when that was released.
type slowSettler struct {
	*player
	done chan []string
}

func (s slowSettler) Settle(_ context.Context, live func(string) bool) error {
	var listed, unwanted []string
	for len(listed) == 0 {
		time.Sleep(time.Second)
		s.mu.Lock()
		for id := range s.plays {
			listed = append(listed, id)
		}
		s.mu.Unlock()
	}
	for s.held() > 0 {
		time.Sleep(time.Second)
	}
	for _, id := range listed {
		if !live(id) {
			unwanted = append(unwanted, id)
		}
	}
	s.done <- unwanted
	return nil
}

// An executor that settles what an earlier process left has listed what ends in that
// moment, too; told that nobody wants it, it would throw away what is kept.
func TestSettle_is_not_about_what_this_process_releases(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := slowSettler{newPlayer(), make(chan []string, 1)}
		s.act = func(context.Context, executors.Task, int) (executors.Result, error) {
			time.Sleep(time.Minute)
			return executors.Result{Error: &graph.Error{Code: executors.CodeOutputMissing}}, nil
		}
		h := newHouse(t, s).start()
		g := h.submit("lattice: c\nelectrons:\n  a: {run: [x]}\n", nil)
		if g = h.end(g.ID); g.Status != graph.Failed {
			t.Errorf("it ended %s", g.Status)
		}
		if unwanted := <-s.done; len(unwanted) > 0 {
			t.Errorf("%v would be thrown away", unwanted)
		}
		for id, keep := range s.released {
			if !keep {
				t.Errorf("%s is not kept", id)
			}
		}
	})
}
