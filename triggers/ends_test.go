package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// ended makes so many dispatches that have ended.
func ended(l *triggertest.Ledger, n int) {
	for range n {
		all := len(l.Dispatches(""))
		d := l.AddDispatch(graph.Dispatch{ID: fmt.Sprint("ended-", all), LatticeName: "x", Status: graph.Running})
		l.SetDispatch(d.ID, graph.Completed)
	}
}

func TestEnds(t *testing.T) {
	t.Run("all_come_in_order_wherever_one_begins_and_whatever_is_remembered", func(t *testing.T) {
		for seed := range uint64(200) {
			r := rand.New(rand.NewPCG(seed, 0))
			l := triggertest.NewLedger()
			after := triggers.EndsAfter(l, 1+r.IntN(8))
			last := int64(0)
			for range 30 {
				n := r.IntN(4)
				ended(l, n)
				last += int64(n)
				at := r.Int64N(last + 1)
				for {
					if r.IntN(5) == 0 {
						l.Fail(func(string) error { return triggertest.ErrFull })
						if _, next, err := after(t.Context(), at); err != nil && next != at {
							t.Fatalf("seed %d: after an error it goes on from %d, not %d", seed, next, at)
						}
						l.Fail(nil)
					}
					es, next, err := after(t.Context(), at)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range es {
						if at++; e.Seq != at {
							t.Fatalf("seed %d: end %d where %d comes", seed, e.Seq, at)
						}
					}
					if next != at {
						t.Fatalf("seed %d: it goes on from %d after %d", seed, next, at)
					}
					if len(es) == 0 {
						break
					}
				}
				if at != last {
					t.Fatalf("seed %d: %d of %d ends", seed, at, last)
				}
			}
		}
	})

	t.Run("many_that_begin_at_different_places_read_each_end_once", func(t *testing.T) {
		l := triggertest.NewLedger()
		ended(l, 300)
		reads := 0
		l.Fail(func(string) error { reads++; return nil })
		after := triggers.EndsAfter(l, 1000)
		for _, at := range rand.Perm(300) {
			if es, _, err := after(t.Context(), int64(at)); err != nil || len(es) != 300-at {
				t.Fatalf("%d after %d, %v", len(es), at, err)
			}
		}
		// Each that begins further back than all before reads what is missing.
		if reads > 30 {
			t.Errorf("%d reads", reads)
		}
	})

	t.Run("who_waits_for_another_reading_is_stopped", func(t *testing.T) {
		l := triggertest.NewLedger()
		after := triggers.EndsAfter(l, 10)
		inside, leave := make(chan struct{}), make(chan struct{})
		l.Fail(func(string) error { close(inside); <-leave; return nil })
		done := make(chan error)
		go func() { _, _, err := after(t.Context(), 0); done <- err }()
		<-inside
		ctx, stop := context.WithCancelCause(t.Context())
		stop(triggers.ErrStopped)
		if _, _, err := after(ctx, 0); !errors.Is(err, triggers.ErrStopped) {
			t.Error(err)
		}
		close(leave)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
