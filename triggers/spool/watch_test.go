package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/directory"
)

// watching runs the source of a folder on a spool until it is told to stop.
func watching(t *testing.T, s *Spool, dir string, more map[string]any) (stop func()) {
	t.Helper()
	fields := map[string]any{"dir_path": dir, "settle": "20ms"}
	for k, v := range more {
		fields[k] = v
	}
	made, err := triggers.Make(directory.Kind(directory.Options{}), fields)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, made.Source, nil) }()
	eventually(t, "the folder is watched", func() bool { return s.Health().State == triggers.Active })
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		s.report(triggers.Preparing, "")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("it doesn't come about that %s", what)
		}
	}
}

func drop(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// taken collects n keys as base names of their paths.
func (s *Spool) taken(t *testing.T, n int) []string {
	t.Helper()
	var names []string
	eventually(t, fmt.Sprintf("%d events come", n), func() bool {
		if k := s.take(t); k != "" {
			path, _, _ := strings.Cut(k, "#")
			names = append(names, filepath.Base(path))
		}
		return len(names) >= n
	})
	return names
}

func TestWatch_spools_what_comes_while_it_runs_and_while_it_does_not(t *testing.T) {
	s, dir := openNew(t), t.TempDir()
	drop(t, dir, "old")
	stop := watching(t, s, dir, nil)
	drop(t, dir, "a\nb", "c\xff")
	got := s.taken(t, 2)
	stop()
	drop(t, dir, "while away")
	spoolDir := filepath.Dir(s.lock.Name())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, spoolDir, Options{})
	stop = watching(t, s, dir, nil)
	defer stop()
	got = append(got, s.taken(t, 1)...)
	slices.Sort(got)
	if !slices.Equal(got, []string{"a\nb", `c\xff`, "while away"}) {
		t.Errorf("%q", got)
	}
	if k := s.take(t); k != "" {
		t.Errorf("one more: %q", k)
	}
}

func TestWatch_finds_what_a_full_spool_had_no_room_for(t *testing.T) {
	const files = 60
	dir := t.TempDir()
	s := openAt(t, filepath.Join(t.TempDir(), "s"), Options{Limit: 3000})
	stop := watching(t, s, dir, nil)
	defer stop()
	var want []string
	for i := range files {
		want = append(want, fmt.Sprintf("%03d", i))
	}
	drop(t, dir, want...)
	eventually(t, "the spool is full", func() bool { return s.full() })
	late := []string{"late 1", "late 2", "late 3"} // while it is full
	drop(t, dir, late...)
	want = append(want, late...)
	eventually(t, "it is shown", func() bool { return s.Health().Reason == ErrFull.Error() })
	got := s.taken(t, len(want))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d: %q", len(got), len(want), got)
	}
	eventually(t, "all is well again", func() bool { return s.Health().State == triggers.Active })
}

func TestWatch_goes_on_after_the_spool_could_not_be_written(t *testing.T) {
	s, dir := openNew(t), t.TempDir()
	stop := watching(t, s, dir, nil)
	defer stop()
	var pages int
	if err := s.db.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		if err := s.db.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", n)).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages)
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("%0100d", i))
	}
	drop(t, dir, want...)
	eventually(t, "it is shown", func() bool { return strings.Contains(s.Health().Reason, "full") })
	limit(1 << 20)
	got := s.taken(t, len(want))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d", len(got), len(want))
	}
}

// ends is a source that ends in some way each time it is run.
type ends struct {
	runs atomic.Int32
	err  error
}

func (e *ends) Run(_ context.Context, from triggers.From, _ triggers.Emit) error {
	e.runs.Add(1)
	from.Health(triggers.Active, "")
	return e.err
}

func TestWatch_ends_when_nothing_is_left_to_do(t *testing.T) {
	t.Run("as it was asked to", func(t *testing.T) {
		e := &ends{err: triggers.Until(time.Now().Add(time.Hour))}
		asked := 0
		err := openNew(t).Watch(t.Context(), e, func(context.Context, triggers.From) (bool, error) { asked++; return asked == 3, nil })
		if err != nil || asked != 3 {
			t.Errorf("%v after %d", err, asked)
		}
	})
	t.Run("but with the error of a source that can't watch", func(t *testing.T) {
		e := &ends{err: errors.New("no such folder")}
		if err := openNew(t).Watch(t.Context(), e, func(context.Context, triggers.From) (bool, error) { return true, nil }); !errors.Is(err, e.err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("otherwise it is run again", func(t *testing.T) {
		e, s := &ends{err: errors.New("no such folder")}, openNew(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Watch(ctx, e, nil) }()
		eventually(t, "it runs again", func() bool { return e.runs.Load() > 1 })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
