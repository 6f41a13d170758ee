package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/latticed/latticed/graph"
)

var errRefused = errors.New("refused")

// scratch adds a table that units of tests write to.
func scratch(t testing.TB, s *Store) {
	t.Helper()
	err := s.change(t.Context(), func(t *tx) error {
		_, err := t.exec("CREATE TABLE scratch (n INTEGER PRIMARY KEY, v INTEGER UNIQUE)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func put(v int) func(*tx) error {
	return func(t *tx) error {
		_, err := t.exec("INSERT INTO scratch (v) VALUES (?)", v)
		return err
	}
}

// together makes the writer find all units at once: it is held by the first until the
// others wait in its queue.
func together(t *testing.T, s *Store, units ...func(*tx) error) []error {
	t.Helper()
	release := make(chan struct{})
	held := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.change(background(), func(*tx) error { close(held); <-release; return nil })
	})
	<-held
	errs := make([]error, len(units))
	for i, u := range units {
		before := len(s.writer.queue)
		wg.Go(func() { errs[i] = s.change(background(), u) })
		for len(s.writer.queue) == before {
			runtime.Gosched() // until it is queued, so that the order is known
		}
	}
	close(release)
	wg.Wait()
	return errs
}

func TestGroup(t *testing.T) {
	t.Run("units that wait share one commit", func(t *testing.T) {
		s := openNew(t)
		scratch(t, s)
		before := s.Stats()
		for i, err := range together(t, s, put(1), put(2), put(3), put(4)) {
			if err != nil {
				t.Errorf("unit %d: %v", i, err)
			}
		}
		if got := s.Stats(); got.Commits != before.Commits+2 || got.Units != before.Units+5 {
			t.Errorf("%d commits for %d units, want 2 for 5", got.Commits-before.Commits, got.Units-before.Units)
		}
	})

	t.Run("a refused unit is rolled back alone", func(t *testing.T) {
		s := openNew(t)
		scratch(t, s)
		errs := together(t, s, put(1), func(t *tx) error {
			if err := put(2)(t); err != nil {
				return err
			}
			return errRefused
		}, put(3), put(1))
		if errs[0] != nil || !errors.Is(errs[1], errRefused) || errs[2] != nil || errs[3] == nil {
			t.Errorf("errors %v", errs)
		}
		if n := rows(t, s, "scratch"); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		if n := s.Stats().Refused; n != 2 {
			t.Errorf("%d refused, want 2", n)
		}
	})

	t.Run("a panic is its caller's error and the writer goes on", func(t *testing.T) {
		s := openNew(t)
		scratch(t, s)
		errs := together(t, s, put(1), func(t *tx) error {
			_ = put(2)(t)
			panic("oops")
		}, put(3))
		var p *PanicError
		if errs[0] != nil || !errors.As(errs[1], &p) || p.Value != "oops" || len(p.Stack) == 0 || errs[2] != nil {
			t.Errorf("errors %v", errs)
		}
		err := s.change(t.Context(), func(*tx) error { panic("alone") })
		if !errors.As(err, &p) {
			t.Errorf("alone: %v", err)
		}
		if n := rows(t, s, "scratch"); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})

	t.Run("savepoints are taken once a unit was refused, and given up with the next group", func(t *testing.T) {
		s := openNew(t)
		scratch(t, s)
		var savepoints []bool // of each run
		look := func(t *tx) error {
			st := t.w.prepared.stmts["SAVEPOINT unit"]
			savepoints = append(savepoints, st != nil)
			return nil
		}
		together(t, s, put(1), look, put(2))
		together(t, s, put(3), look, func(*tx) error { return errRefused }, put(4))
		if want := []bool{false, false, true}; !slices.Equal(savepoints, want) {
			t.Errorf("savepoints %v, want %v", savepoints, want)
		}
		runs := 0
		together(t, s, func(*tx) error { runs++; return errRefused }, put(5))
		together(t, s, put(6), func(*tx) error { runs++; return nil })
		if s.writer.refused || runs != 3 {
			t.Errorf("refused %v, %d runs", s.writer.refused, runs)
		}
		if n := rows(t, s, "scratch"); n != 6 {
			t.Errorf("%d rows, want 6", n)
		}
	})

	t.Run("seq grows and is never given twice", func(t *testing.T) {
		s := openNew(t)
		var seqs []int64
		take := func(t *tx) error {
			n := t.seq()
			t.after(func() { seqs = append(seqs, n) })
			return nil
		}
		together(t, s, take, func(t *tx) error { t.seq(); return errRefused }, take, take)
		for i := 1; i < len(seqs); i++ {
			if seqs[i] <= seqs[i-1] {
				t.Errorf("seq %v", seqs)
			}
		}
		if s.Seq() < seqs[len(seqs)-1] {
			t.Errorf("Seq is %d after %v", s.Seq(), seqs)
		}
	})

	t.Run("what a refused unit announced is not told", func(t *testing.T) {
		s := openNew(t)
		all, end := s.WatchAll()
		defer end()
		one, endOne := s.Watch("d")
		defer endOne()
		err := s.change(t.Context(), func(t *tx) error {
			t.touched("d")
			t.after(func() { panic("after a refusal") })
			return errRefused
		})
		if !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		select {
		case <-all:
			t.Error("watchers of all were woken")
		case <-one:
			t.Error("watchers of the dispatch were woken")
		default:
		}
	})
}

func TestChange(t *testing.T) {
	t.Run("an ended context stops a unit that has not begun", func(t *testing.T) {
		s := openNew(t)
		release, held := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = s.change(background(), func(*tx) error { close(held); <-release; return nil })
		})
		<-held
		ctx, cancel := context.WithCancelCause(background())
		var ran atomic.Bool
		result := make(chan error)
		go func() { result <- s.change(ctx, func(*tx) error { ran.Store(true); return nil }) }()
		for len(s.writer.queue) == 0 {
			runtime.Gosched()
		}
		cancel(errRefused)
		if err := <-result; !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
		close(release)
		wg.Wait()
		if err := s.change(t.Context(), func(*tx) error { return nil }); err != nil || ran.Load() {
			t.Errorf("ran %v, err %v", ran.Load(), err)
		}
	})

	t.Run("a unit that has begun gives its true answer", func(t *testing.T) {
		s := openNew(t)
		ctx, cancel := context.WithCancel(background())
		err := s.change(ctx, func(*tx) error { cancel(); return nil })
		if err != nil {
			t.Errorf("got %v", err)
		}
	})

	t.Run("Close commits what was accepted and refuses the rest", func(t *testing.T) {
		s := openNew(t)
		scratch(t, s)
		release, held := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = s.change(background(), func(*tx) error { close(held); <-release; return nil })
		})
		<-held
		for i := range 10 {
			before := len(s.writer.queue)
			wg.Go(func() {
				if err := s.change(background(), put(i)); err != nil {
					t.Error(err)
				}
			})
			for len(s.writer.queue) == before {
				runtime.Gosched()
			}
		}
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		close(release)
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if err := s.change(background(), put(11)); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		s = openAt(t, s.dir, Options{})
		if n := rows(t, s, "scratch"); n != 10 {
			t.Errorf("%d rows, want 10", n)
		}
	})

	t.Run("many callers, each row once", func(t *testing.T) {
		s := openNew(t)
		scratch(t, s)
		var wg sync.WaitGroup
		for c := range 16 {
			wg.Go(func() {
				for i := range 50 {
					v := c*50 + i
					err := s.change(background(), func(t *tx) error {
						if err := put(v)(t); err != nil || v%7 != 0 {
							return err
						}
						return errRefused
					})
					if (v%7 == 0) != errors.Is(err, errRefused) {
						t.Errorf("unit %d: %v", v, err)
					}
				}
			})
		}
		wg.Wait()
		if n, bad := rows(t, s, "scratch"), rows(t, s, "scratch WHERE v % 7 = 0"); n != 800-115 || bad != 0 {
			t.Errorf("%d rows, %d of them refused", n, bad)
		}
	})
}

func TestWithoutBorrowedHandle(t *testing.T) {
	s := openNew(t)
	if s.writer.prepared == nil {
		t.Fatal("the driver's connection is built otherwise: the writer is three times slower")
	}
	err := s.change(t.Context(), func(t *tx) error { // the writer's own goroutine
		t.w.prepared.close()
		t.w.prepared = nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lane := must(newSession(t.Context(), must(s.read.DB())(t)))(t)
	lane.prepared.close()
	lane.prepared = nil
	s.lanes.put(lane) // the only one that is needed here
	d := claimed(t, s, withLattice(t, s, "slow", 3))
	for i := range 3 {
		if err := s.Advance(t.Context(), chainStep(t, d.ID, i)); err != nil {
			t.Fatal(err)
		}
	}
	es, _, err := s.Electrons(t.Context(), d.ID, nil, "", 0)
	if err != nil || es[0].Status != graph.Completed || es[1].Status != graph.Completed || es[2].Status != graph.Running {
		t.Errorf("electrons %+v, %v", es, err)
	}
	if a := es[0].Attempts[0]; a.ExitCode == nil || a.Error != nil || a.Signal != "" {
		t.Errorf("attempt %+v", a)
	}
	if got := must(s.Dispatch(t.Context(), d.ID))(t); got.Number != d.Number || !got.EndedAt.IsZero() || got.Keep {
		t.Errorf("dispatch %+v", got)
	}
}

func TestPrepared(t *testing.T) {
	s := openNew(t)
	scratch(t, s)
	t.Run("an error names its code and leaves the statement usable", func(t *testing.T) {
		if err := s.change(t.Context(), put(1)); err != nil {
			t.Fatal(err)
		}
		err := s.change(t.Context(), put(1))
		if sqliteCode(err) != 19 {
			t.Errorf("got %v", err)
		}
		if err := s.change(t.Context(), put(2)); err != nil {
			t.Error(err)
		}
	})
	t.Run("more statements than are kept", func(t *testing.T) {
		err := s.change(t.Context(), func(t *tx) error {
			for i := range maxPrepared + 10 {
				if _, err := t.exec(fmt.Sprintf("INSERT INTO scratch (v) VALUES (%d)", 100+i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(s.writer.prepared.stmts) > maxPrepared {
			t.Errorf("%d statements, %v", len(s.writer.prepared.stmts), err)
		}
	})
	t.Run("wrong SQL and wrong arguments are errors", func(t *testing.T) {
		for _, do := range []func(*tx) error{
			func(t *tx) error { _, err := t.exec("INSERT INTO nothing VALUES (1)"); return err },
			func(t *tx) error { _, err := t.exec("INSERT INTO scratch (v) VALUES (?)", struct{}{}); return err },
			func(t *tx) error { _, err := t.exec("INSERT INTO scratch (v) VALUES (?)", 1, 2); return err },
			func(t *tx) error { _, err := t.exec("INSERT INTO scratch (v) VALUES (?)"); return err },
		} {
			if err := s.change(t.Context(), do); err == nil {
				t.Error("no error")
			}
		}
	})
	t.Run("a statement may run while it gives rows", func(t *testing.T) {
		var pairs []string
		err := s.change(t.Context(), func(t *tx) error {
			const all = "SELECT v FROM scratch WHERE v < ? ORDER BY v"
			return t.rows(all, []any{3}, func(r rowScanner) error {
				var a int
				if err := r.Scan(&a); err != nil {
					return err
				}
				return t.rows(all, []any{3}, func(r rowScanner) error {
					var b string
					err := r.Scan(&b)
					pairs = append(pairs, fmt.Sprint(a, " ", b))
					return err
				})
			})
		})
		if got := strings.Join(pairs, ","); err != nil || got != "1 1,1 2,2 1,2 2" {
			t.Errorf("%s %v", got, err)
		}
	})
	t.Run("a row that has no place is an error, and no row too", func(t *testing.T) {
		for _, borrowed := range []bool{true, false} {
			lane := must(newSession(t.Context(), must(s.read.DB())(t)))(t)
			defer lane.close()
			if !borrowed {
				lane.prepared.close()
				lane.prepared = nil
			}
			var f float64
			var n, m int64
			for _, into := range [][]any{{&f}, {&n, &m}} {
				if err := lane.row("SELECT v FROM scratch", nil, into...); err == nil || errors.Is(err, sql.ErrNoRows) {
					t.Errorf("%T: %v", into[0], err)
				}
			}
			if err := lane.row("SELECT v FROM scratch WHERE v = -1", nil, &n); !errors.Is(err, sql.ErrNoRows) {
				t.Error(err)
			}
			var word graph.Status
			var code *int
			var null sql.NullString
			var blob []byte
			err := lane.row("SELECT 'failed', 3, NULL, NULL", nil, &word, &code, &null, &blob)
			if err != nil || word != graph.Failed || *code != 3 || null.Valid || blob != nil {
				t.Errorf("%v %v %v %v %v", word, code, null, blob, err)
			}
		}
	})
	t.Run("values come back as they went", func(t *testing.T) {
		type row struct {
			A string
			B []byte
			C *int64
			D bool
		}
		var got row
		err := s.change(t.Context(), func(t *tx) error {
			if _, err := t.exec("CREATE TABLE v (a TEXT, b BLOB, c INTEGER, d INTEGER)"); err != nil {
				return err
			}
			if _, err := t.exec("INSERT INTO v VALUES (?,?,?,?)", "a\x00\xff'ü", []byte{0, 1, 0}, nil, true); err != nil {
				return err
			}
			return t.gorm().Raw("SELECT * FROM v").Scan(&got).Error
		})
		if err != nil || got.A != "a\x00\xff'ü" || string(got.B) != "\x00\x01\x00" || got.C != nil || !got.D {
			t.Errorf("%+v %v", got, err)
		}
	})
}
