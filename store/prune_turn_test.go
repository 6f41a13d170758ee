package store

import (
	"sync"
	"testing"
	"time"
)

func TestNextTurn(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct{ most, held, want time.Duration }{
		"half as much after one that held the writer too long":  {5 * ms, pruneHold + 1, 5 * ms / 2},
		"never so little that the price of a commit is all":     {pruneLeast, time.Second, pruneLeast},
		"a little more after one that did not":                  {2 * ms, pruneHold, 5 * ms / 2},
		"never so much that the work alone is most of the hold": {pruneTurn, ms, pruneTurn},
	} {
		if got := nextTurn(test.most, test.held); got != test.want {
			t.Errorf("%s: %s after %s that held it %s", name, got, test.most, test.held)
		}
	}
}

// A pruning that may take as long as it likes stops when somebody waits: in the group that
// it is committed with, or behind it.
func TestPrune_takes_less_when_somebody_waits(t *testing.T) {
	s, c := openClocked(t)
	fill(t, s, 6*2*prunePage)
	l := withLattice(t, s, "new", 1)
	c.pass(100 * day)
	p := &pruner{s: s, bounds: must(s.bounds(t.Context(), Retention{Age: day}))(t)}
	turn := func() int {
		p.most = time.Hour
		page := must(p.page(t.Context(), 1))(t) // after the one that the trigger redispatches
		return must(p.remove(t.Context(), page))(t)
	}
	if n := turn(); n != prunePage {
		t.Fatalf("alone it takes %d of %d", n, prunePage)
	}

	busy, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.change(t.Context(), func(*tx) error { close(busy); <-goOn; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-busy
	var taken int
	all.Go(func() { taken = turn() })
	all.Go(func() {
		if _, err := s.InsertDispatch(t.Context(), dispatchOf(l)); err != nil {
			t.Error(err)
		}
	})
	for len(s.writer.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	all.Wait()
	if taken == 0 || taken > prunePage/2 {
		t.Errorf("while somebody waits it takes %d, and %d alone", taken, prunePage)
	}
}
