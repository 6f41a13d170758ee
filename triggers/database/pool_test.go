package database

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/latticed/latticed/triggers"
)

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestPool_leaks_nothing_over_a_thousand_registrations(t *testing.T) {
	path, w := lab(t, "wal")
	other, _ := lab(t, "delete")
	w.do("INSERT INTO samples VALUES (1, 'a', '2026')")
	kind, _, stats := New(Options{})
	fds, goroutines := descriptors(t), runtime.NumGoroutine()
	for n := range 1000 {
		fields := map[string]any{"db_path": []string{path, other}[n%2], "table_name": []string{"samples", "sample"}[n/2%2]}
		made, err := triggers.Make(kind, fields)
		if err != nil {
			t.Fatal(err)
		}
		s := made.Source.(*source)
		_ = s.Check(t.Context()) // every other table is not there
		if n%3 > 0 {
			ctx, cancel := context.WithCancel(t.Context())
			err := s.Run(ctx, triggers.From{Health: func(triggers.State, string) {}, Wake: func() {}}, func(context.Context, triggers.Batch) error {
				if n%5 == 0 {
					cancel()
					return errors.New("full")
				}
				return nil
			})
			if err == nil {
				t.Fatal("it ends without a word")
			}
			cancel()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "nothing is left", func() bool { return runtime.NumGoroutine() <= goroutines && descriptors(t) <= fds })
	if s := stats(); s.Connections != 0 || s.Databases != 0 {
		t.Errorf("afterwards: %+v", s)
	}
	t.Logf("%d descriptors and %d goroutines before and after %d connects", fds, goroutines, stats().Connects)
}
