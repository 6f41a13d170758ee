package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// sweepOf is n dispatches of which limit run at a time.
func sweepOf(t testing.TB, l *graph.Lattice, name string, n, limit int) []graph.Dispatch {
	t.Helper()
	ds := make([]graph.Dispatch, n)
	for i := range ds {
		ds[i] = dispatchOf(l)
		ds[i].ID = id(t)
		ds[i].Inputs = fmt.Appendf(nil, `{"bins":%d}`, i)
		ds[i].Labels = map[string]string{"of": "test"}
	}
	graph.Together(ds, name, limit)
	return ds
}

func insertSweep(t testing.TB, s *Store, ds []graph.Dispatch) []graph.Dispatch {
	t.Helper()
	return must(s.InsertSweep(t.Context(), ds, true))(t)
}

// going are the numbers of a sweep that may run or do, ascending.
func going(t testing.TB, s *Store, sweep int64) (numbers []int64) {
	t.Helper()
	err := s.read.Raw("SELECT number FROM dispatches WHERE sweep = ? AND held IS NULL AND (status = 'pending' OR status = 'running') ORDER BY number", sweep).Scan(&numbers).Error
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

func finish(t testing.TB, s *Store, d graph.Dispatch) {
	t.Helper()
	st := graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Completed}}
	if d.Status == graph.Pending {
		st.Begin = s.o.Now()
	}
	advance(t, s, st)
}

func TestInsertSweep(t *testing.T) {
	s, whole := openNew(t), t
	l := withLattice(t, s, "x", 1)
	insert(t, s, dispatchOf(l))
	ds := insertSweep(t, s, sweepOf(t, l, "fit", 5, 2))
	t.Run("the_first_go_and_the_others_wait", func(t *testing.T) {
		for i, d := range ds {
			got := must(s.Dispatch(t.Context(), d.ID))(t)
			if got.Number != int64(i+2) || got.Sweep != 2 || got.Held != (i >= 2) || d.Sweep != 2 || got.Labels["sweep"] != "fit" || got.Labels["of"] != "test" {
				t.Errorf("%+v", got)
			}
		}
		if p := must(s.Pending(t.Context(), 10, none))(t); len(p) != 3 || p[2].Number != 3 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("what_waits_does_not_begin", func(t *testing.T) {
		err := s.Advance(t.Context(), graph.Step{Dispatch: ds[3].ID, Begin: s.o.Now()})
		if !errors.Is(err, graph.ErrStale) {
			t.Error(err)
		}
	})
	t.Run("an_end_lets_the_next_go", func(t *testing.T) {
		seq := s.Seq()
		finish(t, s, ds[1])
		if n := going(t, s, 2); !slices.Equal(n, []int64{2, 4}) {
			t.Error(n)
		}
		if d := must(s.Dispatch(t.Context(), "4"))(t); d.Held || d.Seq <= seq {
			t.Errorf("%+v", d) // who follows changes is told
		}
	})
	t.Run("of_those_that_wait_a_cancelled_one_frees_nothing", func(t *testing.T) {
		if _, _, err := s.RequestCancel(t.Context(), ds[3].ID); err != nil {
			t.Fatal(err)
		}
		if n := going(t, s, 2); !slices.Equal(n, []int64{2, 4}) || rows(t, s, "dispatches WHERE held IS NOT NULL") != 1 {
			t.Error(n)
		}
	})
	t.Run("a_cancelled_one_that_has_not_begun_frees_its_place", func(t *testing.T) {
		if _, _, err := s.RequestCancel(t.Context(), "4"); err != nil {
			t.Fatal(err)
		}
		if n := going(t, s, 2); !slices.Equal(n, []int64{2, 6}) {
			t.Error(n)
		}
	})
	t.Run("one_that_is_asked_to_end_frees_it_at_its_end", func(t *testing.T) {
		more := insertSweep(t, s, sweepOf(t, l, "second", 2, 1))
		advance(t, s, graph.Step{Dispatch: more[0].ID, Begin: s.o.Now()})
		if _, _, err := s.RequestCancel(t.Context(), more[0].ID); err != nil {
			t.Fatal(err)
		}
		if n := going(t, s, more[0].Number); !slices.Equal(n, []int64{more[0].Number}) {
			t.Error(n)
		}
		s = reopen(whole, s)
		advance(t, s, graph.Step{Dispatch: more[0].ID, Finish: &graph.DispatchEnd{Status: graph.Cancelled}})
		if n := going(t, s, more[0].Number); !slices.Equal(n, []int64{more[1].Number}) {
			t.Error(n)
		}
	})
	t.Run("a_name_is_one_sweep's", func(t *testing.T) {
		var taken *ConflictError
		_, err := s.InsertSweep(t.Context(), sweepOf(t, l, "fit", 2, 1), true)
		if !errors.As(err, &taken) || taken.Code != "name_taken" || !strings.Contains(taken.Message, "dispatch 2 is of it") {
			t.Error(err)
		}
		ds := sweepOf(t, l, "fit", 2, 1)
		shared := map[string]string{graph.SweepLabel: "fit"}
		ds[0].Labels, ds[1].Labels = shared, shared
		for _, want := range []string{"fit-2", "fit-3"} {
			got := must(s.InsertSweep(t.Context(), ds, false))(t)
			if got[0].Labels[graph.SweepLabel] != want || got[1].Labels[graph.SweepLabel] != want || shared[graph.SweepLabel] != "fit" {
				t.Errorf("%v %v", got[0].Labels, shared)
			}
			ds[0].ID, ds[1].ID = id(t), id(t)
		}
	})
	t.Run("all_or_nothing", func(t *testing.T) {
		before := rows(t, s, "dispatches")
		bad := sweepOf(t, l, "bad", 3, 1)
		bad[2].LatticeID = "nothing"
		if _, err := s.InsertSweep(t.Context(), bad, true); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		held := sweepOf(t, l, "bad", 1, 0)
		if _, err := s.InsertSweep(t.Context(), held, true); err == nil {
			t.Error("a sweep of which nothing goes was stored")
		}
		if _, err := s.InsertSweep(t.Context(), nil, true); err == nil {
			t.Error("a sweep of nothing was stored")
		}
		if n := rows(t, s, "dispatches"); n != before {
			t.Errorf("%d, before %d", n, before)
		}
	})
	t.Run("one_that_waits_is_not_removed_and_one_that_ended_is", func(t *testing.T) {
		more := insertSweep(t, s, sweepOf(t, l, "third", 3, 1))
		var running *ConflictError
		if err := s.DeleteDispatch(t.Context(), more[2].ID); !errors.As(err, &running) {
			t.Error(err)
		}
		finish(t, s, more[0])
		if err := s.DeleteDispatch(t.Context(), more[0].ID); err != nil {
			t.Error(err)
		}
		finish(t, s, more[1])
		if n := going(t, s, more[0].Number); !slices.Equal(n, []int64{more[2].Number}) {
			t.Error(n) // though the one they are named after is gone
		}
	})
}

func TestInsertSweep_happens_once_for_a_key(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	o := &Once{Principal: "anna", Route: "POST /sweeps", Key: "k", Body: []byte("b"), Render: func(v any) (Answer, bool, error) {
		ds, ok := v.([]graph.Dispatch)
		return Answer{Status: 201, Body: fmt.Appendf(nil, "%d %s", ds[0].Number, ds[0].Labels["sweep"])}, ok, nil
	}}
	if _, err := s.InsertSweep(WithOnce(t.Context(), o), sweepOf(t, l, "fit", 3, 2), false); err != nil {
		t.Fatal(err)
	}
	var again *ReplayedError
	_, err := s.InsertSweep(WithOnce(t.Context(), o), sweepOf(t, l, "fit", 3, 2), false)
	if !errors.As(err, &again) || string(again.Answer.Body) != "1 fit" || rows(t, s, "dispatches") != 3 {
		t.Errorf("%v", err)
	}
}

// TestSweepLimit drives sweeps at random: never do more of one go than may, and whatever
// happens all of them have their turn.
func TestSweepLimit(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	rapid.Check(t, func(rt *rapid.T) {
		limits, left := map[int64]int{}, map[string]graph.Dispatch{}
		for range rapid.IntRange(1, 2).Draw(rt, "sweeps") {
			limit := rapid.IntRange(1, 4).Draw(rt, "limit")
			for _, d := range insertSweep(t, s, sweepOf(t, l, id(t), rapid.IntRange(1, 8).Draw(rt, "n"), limit)) {
				limits[d.Sweep], left[d.ID] = limit, d
			}
		}
		for len(left) > 0 {
			var ids []string
			for sweep, limit := range limits {
				n := len(going(t, s, sweep))
				waits := rows(t, s, "dispatches WHERE held = ?", sweep)
				if n > limit || n < limit && waits > 0 {
					rt.Fatalf("of sweep %d go %d, limit %d, and %d wait", sweep, n, limit, waits)
				}
			}
			ids = slices.Sorted(maps.Keys(left))
			one := must(s.Dispatch(t.Context(), rapid.SampledFrom(ids).Draw(rt, "one")))(t)
			switch rapid.SampledFrom([]string{"begin", "begin", "begin", "end", "end", "end", "cancel", "cancel", "cancel many", "restart"}).Draw(rt, "what") {
			case "begin":
				err := s.Advance(t.Context(), graph.Step{Dispatch: one.ID, Begin: s.o.Now()})
				if held := one.Held || one.Status != graph.Pending; held != errors.Is(err, graph.ErrStale) {
					rt.Fatalf("%+v begins: %v", one, err)
				}
			case "end":
				if one.Status == graph.Running {
					finish(t, s, one)
				}
			case "cancel":
				if _, _, err := s.RequestCancel(t.Context(), one.ID); err != nil {
					rt.Fatal(err)
				}
			case "cancel many":
				k := rapid.IntRange(1, len(ids)).Draw(rt, "k")
				if _, _, err := s.RequestCancels(t.Context(), ids[:k]); err != nil {
					rt.Fatal(err)
				}
			case "restart":
				s = reopen(t, s)
			}
			var now []dispatchRow
			if err := s.read.Raw("SELECT id, status, cancel_requested_at FROM dispatches WHERE sweep IN ?", slices.Collect(maps.Keys(limits))).Scan(&now).Error; err != nil {
				rt.Fatal(err)
			}
			for _, d := range now {
				if graph.Status(d.Status).Terminal() {
					delete(left, d.ID)
				} else if d.CancelRequestedAt != 0 {
					finish(t, s, graph.Dispatch{ID: d.ID, Status: graph.Status(d.Status)})
				}
			}
			if rapid.IntRange(0, 3).Draw(rt, "go on") == 0 { // so that it ends: the oldest that may go does
				for sweep := range limits {
					for _, number := range going(t, s, sweep) {
						finish(t, s, must(s.Dispatch(t.Context(), fmt.Sprint(number)))(t))
						break
					}
				}
			}
		}
		for sweep := range limits {
			if n := rows(t, s, "dispatches WHERE held = ?", sweep); n > 0 {
				rt.Fatalf("%d of sweep %d wait for ever", n, sweep)
			}
		}
	})
}

// TestSweepOfTrigger is about members that a firing makes.
func TestSweepOfTrigger(t *testing.T) {
	s, whole := openNew(t), t
	tr, l := withTrigger(t, s, "a")
	e := event(t, "k")
	ds := sweepOf(t, l, "a-1", 6, 2)
	_, err := s.Record(t.Context(), tr.ID, tr.Revision, triggers.Batch{Events: []triggers.Event{e}},
		[]triggers.Decision{{State: triggers.EventFired, Reason: "event", EventIDs: []string{e.ID}, Dispatches: ds}})
	if err != nil {
		t.Fatal(err)
	}
	first := must(s.Dispatch(t.Context(), ds[0].ID))(t).Number
	count := func() int { return must(s.Counts(t.Context(), tr.ID))(t).InFlight }
	if n := going(t, s, first); len(n) != 2 || count() != 6 {
		t.Errorf("%v go, %d in flight", n, count())
	}
	t.Run("those_that_wait_are_in_flight", func(t *testing.T) {
		finish(t, s, ds[0])
		if n := going(t, s, first); len(n) != 2 || count() != 5 {
			t.Errorf("%v go, %d in flight", n, count())
		}
		if s = reopen(whole, s); count() != 5 {
			t.Errorf("%d in flight after a restart", count())
		}
	})
	t.Run("replace_asks_the_oldest_to_end_and_keeps_the_limit", func(t *testing.T) {
		out, err := s.Fire(t.Context(), tr.ID, tr.Revision, []triggers.Decision{{Cancel: 3}})
		if err != nil || len(out.Cancelled) != 3 {
			t.Fatalf("%+v %v", out, err)
		}
		if n := going(t, s, first); !slices.Equal(n, []int64{first + 4, first + 5}) || count() != 2 {
			t.Errorf("%v go, %d in flight", n, count())
		}
	})
}

func TestRequestCancels(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	ds := insertSweep(t, s, sweepOf(t, l, "fit", 4, 1))
	finish(t, s, ds[0])
	advance(t, s, graph.Step{Dispatch: ds[1].ID, Begin: s.o.Now()})
	got, changed, err := s.RequestCancels(t.Context(), []string{ds[3].ID, "nothing", ds[2].ID, ds[1].ID, ds[0].ID})
	if err != nil || len(got) != 4 || !slices.Equal(changed, []bool{true, true, true, false}) {
		t.Fatalf("%+v %v %v", got, changed, err)
	}
	if got[0].Status != graph.Cancelled || got[2].Status != graph.Running || got[2].CancelRequestedAt.IsZero() || got[3].Status != graph.Completed {
		t.Errorf("%+v", got)
	}
	if _, changed, _ := s.RequestCancels(t.Context(), []string{ds[1].ID}); changed[0] {
		t.Error("it was asked before")
	}
}

func TestGauges_count_what_waits_for_others_of_its_sweep(t *testing.T) {
	s := openNew(t)
	ds := insertSweep(t, s, sweepOf(t, withLattice(t, s, "x", 1), "fit", 5, 2))
	finish(t, s, ds[0])
	if g := must(s.Gauges(t.Context()))(t); g.DispatchesPending != 4 || g.DispatchesHeld != 2 {
		t.Errorf("%+v", g)
	}
}

func TestFind(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	ds := insertSweep(t, s, sweepOf(t, l, "fit", 1200, 3))
	finish(t, s, ds[1])
	found, n, err := s.Find(t.Context(), DispatchFilter{Labels: map[string]string{"sweep": "fit"}, Status: []graph.Status{graph.Pending, graph.Completed}}, 1100, 2000)
	if err != nil || n != 1200 || len(found) != 1100 || found[0].Number != 1200 || found[1099].Number != 101 {
		t.Fatalf("%d of %d, %v", len(found), n, err)
	}
	found, n, err = s.Find(t.Context(), DispatchFilter{Status: []graph.Status{graph.Completed}}, 5, 10)
	if err != nil || n != 1 || len(found) != 1 || found[0] != (Found{ds[1].ID, 2, graph.Completed}) {
		t.Errorf("%+v %d %v", found, n, err)
	}
	if found, n, err := s.Find(t.Context(), DispatchFilter{Trigger: "none"}, 5, 10); err != nil || n != 0 || len(found) != 0 {
		t.Errorf("%+v %d %v", found, n, err)
	}
}

// BenchmarkInsertSweep stores the largest sweep in its one transaction, and measures how
// long others wait to write meanwhile.
func BenchmarkInsertSweep(b *testing.B) {
	s := openNew(b)
	l := withLattice(b, s, "x", 3)
	var longest time.Duration
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		ds := sweepOf(b, l, fmt.Sprint("s", i), graph.MaxSweep, graph.DefaultInFlight)
		b.StartTimer()
		var wg sync.WaitGroup
		done := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				began := time.Now()
				insert(b, s, dispatchOf(l))
				longest = max(longest, time.Since(began))
			}
		})
		insertSweep(b, s, ds)
		close(done)
		wg.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/graph.MaxSweep, "µs/row")
	b.ReportMetric(float64(longest.Milliseconds()), "ms-waited")
}
