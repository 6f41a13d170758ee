package dispatcher_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
)

// chain makes n electrons one after the other.
func chain(n int) string {
	var b strings.Builder
	b.WriteString("lattice: chain\nelectrons:\n  e0: {run: [/bin/true]}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  e%d: {run: [/bin/true], wait_for: [e%d]}\n", i, i-1)
	}
	return b.String()
}

// timed is a house whose dispatches are awaited without reading them again and again.
type timed struct {
	*house
	ended chan graph.Dispatch
}

func newTimed(h0 *house) timed {
	h := timed{h0, make(chan graph.Dispatch, 1)}
	h.opts.Ended = func(g graph.Dispatch) { h.ended <- g }
	h.start()
	return h
}

func (h timed) finish(doc string) graph.Dispatch {
	h.submit(doc, nil)
	g := <-h.ended
	if g.Status != graph.Completed {
		h.t.Fatalf("it ended %s: %+v", g.Status, g.Error)
	}
	return g
}

// perElectron reports the time a dispatch of n electrons ran, per electron.
func perElectron(b *testing.B, h0 *house, doc string, n int) {
	h := newTimed(h0)
	var took time.Duration
	for b.Loop() {
		g := h.finish(doc)
		took += g.EndedAt.Sub(g.StartedAt)
	}
	b.ReportMetric(float64(took.Microseconds())/float64(b.N)/float64(n), "µs/electron")
}

// What the dispatcher and the store cost beside an executor that costs nothing.
func BenchmarkOverhead(b *testing.B) {
	b.Run("chain_200", func(b *testing.B) { perElectron(b, newHouse(b, newPlayer()), chain(200), 200) })
	for _, n := range []int{1000, 4000} {
		b.Run(fmt.Sprintf("fan_out_%d", n), func(b *testing.B) {
			perElectron(b, newHouse(b, newPlayer()), wide(n), n)
		})
	}
	b.Run("one_electron", func(b *testing.B) {
		h := newTimed(newHouse(b, newPlayer()))
		for b.Loop() {
			h.finish("lattice: one\nelectrons:\n  a: {run: [/bin/true]}\n")
		}
	})
}

// The same with real processes, beside what those cost alone.
func BenchmarkLocal(b *testing.B) {
	b.Run("chain_200", func(b *testing.B) { perElectron(b, newLocal(b), chain(200), 200) })
	b.Run("fan_out_1000", func(b *testing.B) {
		perElectron(b, newLocal(b), strings.ReplaceAll(wide(1000), "[x]", "[/bin/true]"), 1000)
	})
	b.Run("one_electron", func(b *testing.B) {
		h := newTimed(newLocal(b))
		for b.Loop() {
			h.finish("lattice: one\nelectrons:\n  a: {run: [/bin/true]}\n")
		}
	})
	b.Run("floor_fork_exec", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAccept has 64 callers; commits is how many transactions one dispatch costs.
func BenchmarkAccept(b *testing.B) {
	l, err := graph.Parse([]byte(sum))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ask  dispatcher.Request
	}{
		{"by_name", dispatcher.Request{Lattice: "sum", Inputs: map[string]any{"a": int64(1)}}},
		{"inline", dispatcher.Request{Document: []byte(sum), Inputs: map[string]any{"a": int64(1)}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newHouse(b, newPlayer()).make()
			if _, err := h.st.InsertLattice(b.Context(), l, true, ""); err != nil {
				b.Fatal(err)
			}
			many(b, func() error {
				_, _, err := h.d.Accept(context.Background(), c.ask)
				return err
			})
		})
	}
	b.Run("floor_insert_alone", func(b *testing.B) {
		h := newHouse(b, newPlayer()).make()
		if _, err := h.st.InsertLattice(b.Context(), l, true, ""); err != nil {
			b.Fatal(err)
		}
		d := graph.Dispatch{LatticeID: l.ID, LatticeName: l.Name, Status: graph.Pending, Inputs: []byte(`{"a":1}`)}
		many(b, func() error {
			_, err := h.st.InsertDispatch(context.Background(), d)
			return err
		})
	})
}

// many calls f b.N times from 64 goroutines.
func many(b *testing.B, f func() error) {
	b.Helper()
	b.ResetTimer()
	var wg sync.WaitGroup
	var done atomic.Int64
	for range 64 {
		wg.Go(func() {
			for done.Add(1) <= int64(b.N) {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "/s")
}
