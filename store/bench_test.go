package store

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// callers is how many goroutines write at once in the benchmarks of group commit.
const callers = 64

func parallel(b *testing.B, do func(i int64) error) {
	b.Helper()
	b.SetParallelism(callers / 2) // times GOMAXPROCS, which is 2 where the goals were measured
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func withFloor(b *testing.B, s *Store) {
	b.Helper()
	err := s.change(b.Context(), func(t *tx) error {
		_, err := t.exec("CREATE TABLE floor (n INTEGER PRIMARY KEY, a INTEGER, b TEXT)")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFloorRow is the floor: a narrow row per unit through the same group commit.
func BenchmarkFloorRow(b *testing.B) {
	s := openNew(b)
	withFloor(b, s)
	parallel(b, func(i int64) error {
		return s.change(context.Background(), func(t *tx) error {
			_, err := t.exec("INSERT INTO floor (a, b) VALUES (?, ?)", i, "row")
			return err
		})
	})
}

// BenchmarkFloorCommit is one durable commit at a time.
func BenchmarkFloorCommit(b *testing.B) {
	s := openNew(b)
	withFloor(b, s)
	for i := 0; b.Loop(); i++ {
		err := s.change(context.Background(), func(t *tx) error {
			_, err := t.exec("INSERT INTO floor (a, b) VALUES (?, ?)", i, "row")
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInsertDispatch(b *testing.B) {
	s := openNew(b)
	d := dispatchOf(withLattice(b, s, "xrd_integrate", 3))
	parallel(b, func(int64) error {
		_, err := s.InsertDispatch(context.Background(), d)
		return err
	})
}

// chainStep ends attempt i−1 with a small result and a log, and starts attempt i.
func chainStep(b testing.TB, dispatch string, i int) graph.Step {
	st := graph.Step{Dispatch: dispatch, Starts: []graph.AttemptStart{
		{Electron: i, Name: fmt.Sprintf("e%d", i), ID: fmt.Sprintf("0190a3a1-0000-7000-8000-%012d", i), N: 1, Executor: "local", Handle: []byte(`{"boot_id":"x"}`)},
	}}
	if i == 0 {
		return st
	}
	value := graph.NewAsset{Asset: graph.Asset{SHA256: fmt.Sprintf("%064x", i), Size: 4}, Data: []byte("null")}
	code := 0
	st.Assets = []graph.NewAsset{value}
	st.Ends = []graph.AttemptEnd{{
		Electron: i - 1, N: 1, ID: fmt.Sprintf("0190a3a1-0000-7000-8000-%012d", i-1), Status: graph.Completed,
		ExitCode: &code, Usage: &graph.Usage{CPU: 0.001, MaxRSS: 1 << 20, Wall: 0.002},
	}}
	st.Electrons = []graph.ElectronChange{{
		Electron: i - 1, Name: fmt.Sprintf("e%d", i-1), From: graph.Running, To: graph.Completed, Result: &value.Asset,
	}}
	return st
}

// BenchmarkAdvanceChain is a chain step by one walker: compare with FloorCommit.
func BenchmarkAdvanceChain(b *testing.B) {
	s := openNew(b)
	l := withLattice(b, s, "chain", 1000)
	d := claimed(b, s, l)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if i == len(l.Electrons) {
			b.StopTimer()
			d, i = claimed(b, s, l), 0
			b.StartTimer()
		}
		if err := s.Advance(context.Background(), chainStep(b, d.ID, i)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkAdvanceUnit is the same without the fsync: many steps in one transaction.
func BenchmarkAdvanceUnit(b *testing.B) {
	s := openNew(b)
	l := withLattice(b, s, "chain", 1000)
	b.ReportAllocs()
	for done := 0; done < b.N; {
		b.StopTimer()
		d := claimed(b, s, l)
		n := min(b.N-done, len(l.Electrons))
		b.StartTimer()
		err := s.change(context.Background(), func(t *tx) error {
			for i := range n {
				st := chainStep(b, d.ID, i)
				if err := t.advance(&st); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		done += n
	}
}

// BenchmarkRecordFire is a burst of files: batches of 100 events, each with its own
// firing and dispatch, in one transaction.
func BenchmarkRecordFire(b *testing.B) {
	s := openNew(b)
	tr, l := withTrigger(b, s, "scans")
	const size = 100
	b.ReportAllocs()
	for i := 0; i < b.N; i += size {
		batch := triggers.Batch{Cursor: []byte("{}")}
		ds := make([]triggers.Decision, size)
		for k := range ds {
			e := event(b, fmt.Sprintf("scan-%08d.tif", i+k))
			batch.Events = append(batch.Events, e)
			batch.Entities = append(batch.Entities, triggers.Change{Key: []byte(e.Key), Version: "1:2:3", Data: []byte("{}")})
			ds[k] = triggers.Decision{EventIDs: []string{e.ID}, State: triggers.EventFired, Reason: "event", Dispatches: []graph.Dispatch{dispatchOf(l)}}
		}
		if _, err := s.Record(context.Background(), tr.ID, 1, batch, ds); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPending(b *testing.B) {
	s := openNew(b)
	d := dispatchOf(withLattice(b, s, "x", 1))
	for range 300 {
		insert(b, s, d)
	}
	b.ReportAllocs()
	for b.Loop() { // the last of a window that has not begun
		ds, err := s.Pending(context.Background(), 64, func(n int64) bool { return n <= 256 })
		if err != nil || len(ds) != 44 {
			b.Fatal(len(ds), err)
		}
	}
}

// BenchmarkShort is what a dispatch of one electron costs the store, beside what asks for it.
func BenchmarkShort(b *testing.B) {
	s := openNew(b)
	tpl := dispatchOf(withLattice(b, s, "x", 1))
	b.ReportAllocs()
	for b.Loop() {
		d := insert(b, s, tpl)
		first := stepOne(d.ID)
		first.Begin = time.Now()
		advance(b, s, first)
		advance(b, s, graph.Step{
			Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 1, first.Starts[0].ID, graph.Completed)},
			Electrons: []graph.ElectronChange{change(0, graph.Running, graph.Completed)},
			Finish:    &graph.DispatchEnd{Status: graph.Completed, Result: []byte("null")},
		})
		if _, _, err := s.Shown(context.Background(), d.ID, 200); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDispatchRead(b *testing.B) {
	s := openNew(b)
	d := insert(b, s, dispatchOf(withLattice(b, s, "x", 1)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Dispatch(context.Background(), d.ID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStageAsset(b *testing.B) {
	s := openNew(b)
	for _, size := range []int{1 << 10, 1 << 20} {
		data := bytes.Repeat([]byte("x"), size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := s.StageAsset(context.Background(), bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "state")
	for b.Loop() {
		s, err := Open(context.Background(), dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
