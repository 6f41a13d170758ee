package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/timer"
)

// storeTriggers stores n triggers, half on time and half on folders of their own.
func storeTriggers(t testing.TB, s *Store, tree string, n int) {
	t.Helper()
	l := withLattice(t, s, "x", 1)
	var wg sync.WaitGroup
	for w := range 50 {
		wg.Go(func() {
			for i := w; i < n; i += 50 {
				tr := triggers.Trigger{Name: fmt.Sprintf("t%05d", i), Kind: "time", LatticeID: l.ID, Owner: "anna", CreatedBy: "anna", RunAs: "anna"}
				tr.Spec = []byte(`{"kind":"time","lattice":"x","every":"24h"}`)
				if i%2 == 0 {
					dir := filepath.Join(tree, tr.Name)
					if err := os.MkdirAll(dir, 0o755); err != nil {
						t.Error(err)
					}
					if err := os.WriteFile(filepath.Join(dir, "a.tif"), []byte("x"), 0o644); err != nil {
						t.Error(err)
					}
					tr.Kind, tr.Spec = "directory", fmt.Appendf(nil, `{"kind":"directory","lattice":"x","dir_path":%q}`, dir)
				}
				tr.Spec = fmt.Appendf(tr.Spec[:len(tr.Spec)-1], `,"name":%q}`, tr.Name)
				if _, err := s.CreateTrigger(t.Context(), tr); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// started runs a manager until all triggers work and their goroutines have ended, and
// tells how long that took.
func started(t testing.TB, s *Store) time.Duration {
	t.Helper()
	kinds := triggers.Kinds{"directory": directory.Kind(directory.Options{}), "time": timer.Kind}
	m := triggers.NewManager(s, kinds, triggers.Options{RunAs: "anna", Stop: time.Minute})
	ctx, cancel := context.WithCancel(context.Background())
	idle := runtime.NumGoroutine()
	began := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	if err := m.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	ts := must(s.Triggers(t.Context()))(t)
	for time.Since(began) < time.Minute {
		time.Sleep(5 * time.Millisecond)
		left := 0
		for _, tr := range ts {
			if m.Live(tr).State != triggers.Active {
				left++
			}
		}
		if left == 0 && runtime.NumGoroutine() < idle+50 {
			return time.Since(began)
		}
	}
	t.Fatal("not all triggers work after a minute")
	return 0
}

// A restart after which nothing is new reads, and writes nothing.
func TestStart(t *testing.T) {
	s, tree := openNew(t), t.TempDir()
	storeTriggers(t, s, tree, 200)
	started(t, s)
	s = reopen(t, s)
	before := s.Stats().Units
	started(t, s)
	if n := s.Stats().Units - before; n != 0 {
		t.Errorf("%d changes", n)
	}
	if ts := must(s.Triggers(t.Context()))(t); len(ts) != 200 || ts[0].State != triggers.Active {
		t.Errorf("%d triggers, the first %s", len(ts), ts[0].State)
	}
}

// BenchmarkStart10k is what a restart with 10,000 triggers takes: the floor is reading
// their rows.
func BenchmarkStart10k(b *testing.B) {
	const n = 10_000
	s, tree := openNew(b), b.TempDir()
	storeTriggers(b, s, tree, n)
	b.ReportMetric(started(b, s).Seconds(), "s/first")
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		s = openAt(b, s.dir, s.o)
		opened := time.Since(began)
		began = time.Now()
		if ts := must(s.Triggers(b.Context()))(b); len(ts) != n {
			b.Fatal(len(ts))
		}
		b.ReportMetric(float64(opened.Milliseconds()), "ms/open")
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/triggers")
		before := s.Stats()
		b.ReportMetric(started(b, s).Seconds(), "s/start")
		b.ReportMetric(float64(s.Stats().Units-before.Units), "changes")
		b.ReportMetric(float64(s.Stats().Commits-before.Commits), "commits")
	}
}
