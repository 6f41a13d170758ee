package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

func shaOf(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// fill inserts that many rows of history: for each dispatch an electron, an attempt, an
// asset, a firing and an event.
func fill(t testing.TB, s *Store, n int) {
	t.Helper()
	tr, l := withTrigger(t, s, "filled")
	const per, part = 6, 2000
	for from := 0; from < n/per; from += part {
		err := s.change(t.Context(), func(t *tx) error {
			lattice, err := t.lattice(l.ID)
			if err != nil {
				return err
			}
			ref, err := t.trigger(tr.ID, tr.Revision)
			if err != nil {
				return err
			}
			for i := from; i < min(from+part, n/per); i++ {
				seq := t.seq()
				fid, did := fmt.Sprintf("f%d", i), fmt.Sprintf("d%d", i)
				sum := sha256.Sum256([]byte(did))
				for _, st := range []struct {
					q    string
					args []any
				}{
					{"INSERT INTO firings (n, id, trigger, revision, decision, reason, dispatches, at, seq) VALUES (?,?,?,1,'fired','event',?,?,?)", []any{seq, fid, ref.n, `["` + did + `"]`, t.now, seq}},
					{"INSERT INTO events (n, id, trigger, key, kind, at, state, reason, firing, payload, seq) VALUES (?,?,?,?,'ready',?,'fired','event',?,?,?)", []any{t.seq(), "e" + did, ref.n, "key " + did, t.now, seq, `{"path":"/data/x"}`, t.w.seq}},
					{"INSERT INTO dispatches (id, seq, status, completed, total, lattice, lattice_name, owner, created_by, run_as, trigger, firing_id, created_at, started_at, ended_at, inputs) VALUES (?,?,'completed',1,1,?,?,'anna','anna','anna',?,?,?,?,?,'{}')", []any{did, t.seq(), lattice.n, lattice.name, ref.n, fid, t.now, t.now, t.now}},
					{"INSERT INTO assets (sha256, size, refs, created_at, data) VALUES (?,?,1,?,?)", []any{sum[:], len(did), t.now, []byte(did)}},
				} {
					if _, err := t.exec(st.q, st.args...); err != nil {
						return err
					}
				}
				var number int64
				if err := t.row("SELECT number FROM dispatches WHERE id = ?", []any{did}, &number); err != nil {
					return err
				}
				if _, err := t.exec("INSERT INTO electrons (dispatch, idx, name, status, result, result_size, started_at, ended_at) VALUES (?,0,'e0','completed',?,?,?,?)", number, sum[:], len(did), t.now, t.now); err != nil {
					return err
				}
				if _, err := t.exec("INSERT INTO attempts (dispatch, electron, n, id, status, started_at, ended_at) VALUES (?,0,1,?,'completed',?,?)", number, "a"+did, t.now, t.now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// measure inserts dispatches until stopped and returns how long each has taken.
func measure(t testing.TB, s *Store, l *graph.Lattice, while func()) []time.Duration {
	t.Helper()
	stop := make(chan struct{})
	var took []time.Duration
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			began := time.Now()
			if _, err := s.InsertDispatch(background(), dispatchOf(l)); err != nil {
				t.Error(err)
				return
			}
			took = append(took, time.Since(began))
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	while()
	close(stop)
	wg.Wait()
	slices.Sort(took)
	return took
}

// tooLong is far more than one write has to wait for another, on a busy machine, too.
const tooLong = 2 * time.Second

// What waits behind a pruning waits for one turn of it: far less than a second even on a
// machine that does other things as well.
func TestPrune_holds_nobody_up(t *testing.T) {
	n := 12_000
	if testing.Short() {
		n = 6_000
	}
	s, c := openClocked(t)
	fill(t, s, n)
	l := withLattice(t, s, "new", 1)
	c.pass(100 * day)
	var p Pruned
	began := time.Now()
	took := measure(t, s, l, func() { p = must(s.Prune(t.Context(), Retention{Age: day}, false))(t) })
	t.Logf("%d rows in %s: %+v; %d writes beside it, median %s, longest %s", n, time.Since(began), p, len(took), took[len(took)/2], took[len(took)-1])
	if p.Dispatches < int64(n/6)-1 || took[len(took)-1] > tooLong {
		t.Errorf("%+v, the longest write took %s", p, took[len(took)-1])
	}
}

// BenchmarkPrune tells what half a million rows cost, and who writes meanwhile.
func BenchmarkPrune(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s, c := openClocked(b)
		fill(b, s, 500_000)
		l := withLattice(b, s, "new", 1)
		c.pass(100 * day)
		b.StartTimer()
		took := measure(b, s, l, func() {
			if _, err := s.Prune(b.Context(), Retention{Age: day}, false); err != nil {
				b.Error(err)
			}
		})
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-write-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-write-ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "longest-write-ms")
	}
}
