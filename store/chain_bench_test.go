package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	ends "github.com/latticed/latticed/triggers/chain"
)

// counting is a ledger that counts what following the ends of dispatches costs.
type counting struct {
	triggers.Ledger
	statements, writes atomic.Int64
}

func (c *counting) Ends(ctx context.Context, after int64, limit int) ([]triggers.End, int64, error) {
	c.statements.Add(1)
	return c.Ledger.Ends(ctx, after, limit)
}

func (c *counting) Ended(ctx context.Context, ends []triggers.End) ([]triggers.Ended, error) {
	c.statements.Add(int64(len(ends)))
	return c.Ledger.Ended(ctx, ends)
}

func (c *counting) Record(ctx context.Context, id string, rev int, b triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	c.writes.Add(1)
	return c.Ledger.Record(ctx, id, rev, b, ds)
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkChains is what an end costs beside being stored: five of the triggers follow
// one end in a hundred, the others nothing that happens.
func BenchmarkChains(b *testing.B) {
	for _, followers := range []int{0, 1, 1000} {
		b.Run(fmt.Sprint(followers), func(b *testing.B) { benchChains(b, followers, 10_000) })
	}
}

func benchChains(b *testing.B, followers, n int) {
	s := openNew(b)
	x, _ := withLattice(b, s, "x", 1), withLattice(b, s, "y", 1)
	for i := range followers {
		tr := triggers.Trigger{Name: fmt.Sprintf("t%05d", i), Kind: "dispatch", LatticeID: x.ID, Owner: "anna", CreatedBy: "anna", RunAs: "anna"}
		of := fmt.Sprintf("other-%d", i)
		if i < 5 {
			of = "y"
		}
		tr.Spec = fmt.Appendf(nil, `{"name":%q,"kind":"dispatch","lattice":"x","of":{"lattice":%q}}`, tr.Name, of)
		if _, err := s.CreateTrigger(b.Context(), tr); err != nil {
			b.Fatal(err)
		}
	}
	l := &counting{Ledger: s}
	m := triggers.NewManager(l, triggers.Kinds{"dispatch": ends.Kind}, triggers.Options{RunAs: "anna"})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = m.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	if err := m.Beat(b.Context()); err != nil {
		b.Fatal(err)
	}
	settle := func() {
		for last := int64(-1); last != l.statements.Load()+l.writes.Load(); time.Sleep(500 * time.Millisecond) {
			last = l.statements.Load() + l.writes.Load()
		}
	}
	settle()
	statements, writes, used := l.statements.Load(), l.writes.Load(), cpu()
	for i := range n {
		lattice := x
		if i%100 == 0 {
			lattice, _ = s.Lattice(b.Context(), "y")
		}
		d := insert(b, s, dispatchOf(lattice))
		advance(b, s, graph.Step{Dispatch: d.ID, Begin: s.o.Now()})
		advance(b, s, graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Completed}})
		m.DispatchEnded("")
	}
	settle()
	per := func(v int64, unit string) { b.ReportMetric(float64(v)/float64(n), unit) }
	per(l.statements.Load()-statements, "statements/end")
	per(l.writes.Load()-writes, "writes/end")
	per(int64((cpu()-used)/time.Microsecond), "cpu-us/end")
	b.ReportMetric(0, "ns/op")
}
