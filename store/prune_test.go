package store

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const day = 24 * time.Hour

// clock is a time that a test sets.
type clock struct{ µs atomic.Int64 }

func (c *clock) now() time.Time       { return fromMicros(c.µs.Load()) }
func (c *clock) pass(d time.Duration) { c.µs.Add(d.Microseconds()) }
func (c *clock) options(o Options) Options {
	c.µs.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	o.Now = c.now
	return o
}

func openClocked(t testing.TB) (*Store, *clock) {
	t.Helper()
	c := &clock{}
	return openAt(t, filepath.Join(t.TempDir(), "state"), c.options(Options{})), c
}

// there lists the numbers of the dispatches that are.
func there(t testing.TB, s *Store) []int64 {
	t.Helper()
	var ns []int64
	if err := s.read.Raw("SELECT number FROM dispatches ORDER BY number").Scan(&ns).Error; err != nil {
		t.Fatal(err)
	}
	return ns
}

// pruned prunes as a dry run has said before.
func pruned(t testing.TB, s *Store, r Retention) Pruned {
	t.Helper()
	before := there(t, s)
	said := must(s.Prune(t.Context(), r, true))(t)
	if now := there(t, s); !slices.Equal(now, before) {
		t.Errorf("a dry run leaves %v of %v", now, before)
	}
	did := must(s.Prune(t.Context(), r, false))(t)
	if said != did {
		t.Errorf("the dry run said %+v, and %+v went", said, did)
	}
	if again := must(s.Prune(t.Context(), r, false))(t); again.Dispatches+again.Events+again.Firings+again.Audit+again.Bytes != 0 {
		t.Errorf("and again %+v", again)
	}
	return did
}

func wantThere(t testing.TB, s *Store, want ...int64) {
	t.Helper()
	if got := there(t, s); !slices.Equal(got, want) {
		t.Errorf("%v are left, want %v", got, want)
	}
}

func TestPrune(t *testing.T) {
	// Five dispatches, a day apart, the last ended two hours ago; each holds 64 KiB of its
	// own, and all share 128 KiB.
	five := func(t *testing.T) (*Store, *clock, *graph.Lattice) {
		s, c := openClocked(t)
		l := withLattice(t, s, "x", 1)
		for i := range 5 {
			withAssets(t, s, l, string(rune('1'+i)))
			c.pass(day)
		}
		c.pass(2*time.Hour - day)
		return s, c, l
	}

	t.Run("by age, from the end on", func(t *testing.T) {
		s, _, _ := five(t)
		if p := pruned(t, s, Retention{Age: 2 * day}); p.Dispatches != 3 || p.Kept != 0 || p.Bytes != 3*(1<<16+5) {
			t.Errorf("%+v", p)
		}
		wantThere(t, s, 4, 5)
		if n := len(filesOf(t, s)); n != 3 {
			t.Errorf("%d files are left, want two and the shared one", n)
		}
	})
	t.Run("by count", func(t *testing.T) {
		s, _, _ := five(t)
		pruned(t, s, Retention{Count: 2})
		wantThere(t, s, 4, 5)
	})
	t.Run("by bytes, those that are shared once", func(t *testing.T) {
		s, _, _ := five(t)
		pruned(t, s, Retention{Bytes: 1<<17 + 3*(1<<16) + 1024})
		wantThere(t, s, 3, 4, 5)
	})
	t.Run("by whichever asks for more", func(t *testing.T) {
		s, _, _ := five(t)
		pruned(t, s, Retention{Age: 3 * day, Count: 4, Bytes: 1<<17 + 1<<16 + 1024})
		wantThere(t, s, 5)
	})
	t.Run("without a limit nothing", func(t *testing.T) {
		s, c, _ := five(t)
		c.pass(1000 * day)
		if p := pruned(t, s, Retention{}); p != (Pruned{}) {
			t.Errorf("%+v", p)
		}
		wantThere(t, s, 1, 2, 3, 4, 5)
	})
	t.Run("the last of all goes with the assets they shared", func(t *testing.T) {
		s, c, _ := five(t)
		c.pass(day)
		pruned(t, s, Retention{Age: time.Hour})
		if rows(t, s, "assets") != 0 || len(filesOf(t, s)) != 0 {
			t.Errorf("%d assets, %v", rows(t, s, "assets"), filesOf(t, s))
		}
	})
	t.Run("what ended a moment ago stays for those who follow ends", func(t *testing.T) {
		s, c := openClocked(t)
		l := withLattice(t, s, "x", 1)
		withAssets(t, s, l, "1")
		withAssets(t, s, l, "2")
		c.pass(30 * time.Second)
		pruned(t, s, Retention{Count: 1})
		wantThere(t, s, 1, 2)
		c.pass(time.Minute)
		pruned(t, s, Retention{Count: 1})
		wantThere(t, s, 2)
	})
}

func TestPrune_leaves_what_is_needed(t *testing.T) {
	s, c := openClocked(t)
	tr, l := withTrigger(t, s, "scans") // dispatch 1 is a template
	done := func(mark string) graph.Dispatch { return withAssets(t, s, l, mark) }
	keep, target, parent, old := done("k"), done("t"), done("p"), done("o")
	if _, err := s.PatchDispatch(t.Context(), keep.ID, DispatchPatch{Keep: new(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateTrigger(t.Context(), triggerOn(target, "again")); err != nil {
		t.Fatal(err)
	}
	child := dispatchOf(l)
	child.ParentID = parent.ID
	child = insert(t, s, child)
	running := claimed(t, s, l)
	e := event(t, "last")
	record(t, s, tr, batch(e), fired(e, dispatchOf(l))...)
	last := must(s.Pending(t.Context(), 10, none))(t)
	for _, d := range last {
		if d.TriggerID != "" {
			cancelled(t, s, d)
		}
	}
	c.pass(100 * day)
	p := pruned(t, s, Retention{Age: day})
	if p.Dispatches != 1 || rows(t, s, "dispatches WHERE id = ?", old.ID) != 0 {
		t.Errorf("%+v, left are %v", p, there(t, s))
	}
	if p.Kept != int64(len(there(t, s))) {
		t.Errorf("%d are kept, and %v are there", p.Kept, there(t, s))
	}
	for what, id := range map[string]string{"keep": keep.ID, "target": target.ID, "parent": parent.ID, "child": child.ID, "running": running.ID} {
		if rows(t, s, "dispatches WHERE id = ?", id) != 1 {
			t.Errorf("%s is gone", what)
		}
	}
	if rows(t, s, "events") != 1 || rows(t, s, "firings") != 1 {
		t.Error("the last firing of the trigger is gone")
	}
}

func TestPrune_removes_a_wide_dispatch_in_parts(t *testing.T) {
	s, c := openClocked(t)
	wide(t, s)
	c.pass(day)
	pruned(t, s, Retention{Age: time.Hour})
	wantNothing(t, s)
}

// endsAfter is a context that ends after it was asked so often.
type endsAfter struct {
	context.Context
	left int
}

func (e *endsAfter) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}

// Half a dispatch is no use to anybody, also when the limits ask for it no longer.
func TestPrune_goes_on_with_a_wide_dispatch_that_was_broken_off(t *testing.T) {
	s, c := openClocked(t)
	n := wide(t, s)
	c.pass(day)
	for asked := 1; rows(t, s, "electrons") == n; asked++ {
		if _, err := s.Prune(&endsAfter{context.WithoutCancel(t.Context()), asked}, Retention{Age: time.Hour}, false); err == nil {
			t.Fatal("it was not broken off")
		}
	}
	if left := rows(t, s, "electrons"); left == 0 || left == n {
		t.Fatalf("%d electrons are left", left)
	}
	if p := must(s.Prune(t.Context(), Retention{Age: time.Hour}, true))(t); p.Dispatches != 1 {
		t.Errorf("a dry one counts it %d times", p.Dispatches)
	}
	if p := pruned(t, s, Retention{}); p.Dispatches != 1 {
		t.Errorf("%+v", p)
	}
	wantNothing(t, s)
}

func wantNothing(t *testing.T, s *Store) {
	t.Helper()
	for _, table := range []string{"dispatches", "electrons", "attempts", "assets"} {
		if k := rows(t, s, table); k != 0 {
			t.Errorf("%d rows are left in %s", k, table)
		}
	}
}

// wide makes a dispatch of many electrons that has ended, and returns how many.
func wide(t *testing.T, s *Store) int {
	t.Helper()
	const n = 3*pruneElectrons + 7
	l := withLattice(t, s, "wide", n)
	d := claimed(t, s, l)
	var step graph.Step
	step.Dispatch = d.ID
	for i := range n {
		step.Starts = append(step.Starts, start(i, 1, id(t)))
	}
	advance(t, s, step)
	step = graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Completed}}
	for i := range n {
		a := graph.NewAsset{Asset: graph.Asset{SHA256: shaOf(string(rune(i))), Size: int64(len(string(rune(i))))}, Data: []byte(string(rune(i)))}
		step.Assets = append(step.Assets, a)
		ch := change(i, graph.Running, graph.Completed)
		ch.Result = &a.Asset
		step.Electrons = append(step.Electrons, ch)
		var at graph.AttemptEnd
		if err := s.read.Raw("SELECT id FROM attempts WHERE electron = ?", i).Scan(&at.ID).Error; err != nil {
			t.Fatal(err)
		}
		step.Ends = append(step.Ends, end(i, 1, at.ID, graph.Completed))
	}
	advance(t, s, step)
	return n
}

func TestPrune_stops_when_it_is_told(t *testing.T) {
	s, c := openClocked(t)
	withAssets(t, s, withLattice(t, s, "x", 1), "1")
	c.pass(day)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Prune(ctx, Retention{Age: time.Hour}, false); err == nil {
		t.Error("it went on")
	}
	wantThere(t, s, 1)
}

// Keys of what happened outlive its rows: no kind has to remember them itself.
func TestPrune_events_that_are_gone_never_happen_again(t *testing.T) {
	s, c := openClocked(t)
	tr, l := withTrigger(t, s, "scans")
	first, skipped, last := event(t, "a"), event(t, "b"), event(t, "c")
	ds := fired(first, dispatchOf(l))
	ds[0].DedupeKeys = []string{"sample 1"}
	ds = append(ds, triggers.Decision{EventIDs: []string{skipped.ID}, State: triggers.EventSkipped, Reason: "condition"})
	record(t, s, tr, batch(first, skipped), ds...)
	record(t, s, tr, batch(last), fired(last, dispatchOf(l))...)
	held := event(t, "d")
	record(t, s, tr, batch(held), triggers.Decision{EventIDs: []string{held.ID}, State: triggers.EventHeld, Reason: "rate"})
	for _, d := range must(s.Pending(t.Context(), 10, none))(t) {
		cancelled(t, s, d)
	}
	seq := s.Seq()
	c.pass(100 * day)
	if p := pruned(t, s, Retention{Age: day}); p.Dispatches != 1 || p.Events != 2 || p.Firings != 2 {
		t.Errorf("%+v", p)
	}
	for range 2 {
		again := []triggers.Event{event(t, "a"), event(t, "b"), event(t, "c"), event(t, "d"), event(t, "e")}
		amends := event(t, "a")
		amends.Amends = true
		again = append(again, amends)
		if known := must(s.Known(t.Context(), tr.ID, []string{"a", "b", "c", "d", "z"}))(t); len(known) != 4 {
			t.Errorf("known are %v", known)
		}
		if keys := must(s.Fired(t.Context(), tr.ID, []string{"sample 1", "sample 2"}))(t); !slices.Equal(keys, []string{"sample 1"}) {
			t.Errorf("fired are %v", keys)
		}
		if got := record(t, s, tr, batch(again...)); len(got) > 1 || len(got) == 1 && got[0].Key != "e" {
			t.Errorf("new are %+v", got)
		}
		s = reopen(t, s)
		if s.Seq() <= seq {
			t.Errorf("the sequence went back from %d to %d", seq, s.Seq())
		}
	}
	other, _ := withTrigger(t, s, "others")
	if got := record(t, s, other, batch(event(t, "a"))); len(got) != 1 {
		t.Error("another trigger's key counts")
	}
}

func TestPrune_the_sequence_never_goes_back(t *testing.T) {
	s, c := openClocked(t)
	tr, l := withTrigger(t, s, "scans")
	e := event(t, "a")
	record(t, s, tr, batch(e), fired(e, dispatchOf(l))...)
	skipped := event(t, "b")
	record(t, s, tr, batch(skipped), triggers.Decision{EventIDs: []string{skipped.ID}, State: triggers.EventSkipped, Reason: "condition"})
	seq := s.Seq()
	c.pass(100 * day)
	if p := pruned(t, s, Retention{Age: day}); p.Events != 1 {
		t.Errorf("%+v", p)
	}
	if s = reopen(t, s); s.Seq() < seq {
		t.Errorf("it was %d and is %d", seq, s.Seq())
	}
}

func TestPrune_the_file_shrinks(t *testing.T) {
	s, c := openClocked(t)
	fill(t, s, 20_000)
	size := func() int64 { // of the file without what is in the log beside it
		s = reopen(t, s)
		info, err := os.Stat(filepath.Join(s.dir, databaseName))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	c.pass(100 * day)
	p := must(s.Prune(t.Context(), Retention{Age: day}, false))(t)
	if after := size(); p.Dispatches < 3_000 || after > before/3 {
		t.Errorf("%+v; the file had %d bytes and has %d", p, before, after)
	}
}
