package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// gcPercentNow reads what debug only sets.
func gcPercentNow() int {
	n := debug.SetGCPercent(100)
	debug.SetGCPercent(n)
	return n
}

func TestPace_a_small_heap_may_grow_more_and_a_large_one_doubles(t *testing.T) {
	t.Setenv("GOGC", "")
	before := gcPercentNow()
	stop := pace()
	defer func() {
		if stop(); gcPercentNow() != before {
			t.Error("it stays after the end")
		}
	}()
	follows := func(ok func(percent int) bool) bool {
		for began := time.Now(); time.Since(began) < 20*time.Second; runtime.Gosched() {
			runtime.GC()
			if ok(gcPercentNow()) {
				return true
			}
		}
		return false
	}
	large := make([]byte, 8*growth)
	if !follows(func(p int) bool { return p == 100 }) {
		t.Errorf("%d %% with a large heap", gcPercentNow())
	}
	runtime.KeepAlive(large)
	large = nil
	if !follows(func(p int) bool { return p > 110 }) {
		t.Errorf("%d %% with a small heap", gcPercentNow())
	}
}

func TestPace_leaves_GOGC_to_whoever_sets_it(t *testing.T) {
	t.Setenv("GOGC", "50")
	before := gcPercentNow()
	defer pace()()
	runtime.GC()
	if got := gcPercentNow(); got != before {
		t.Errorf("%d %%, was %d %%", got, before)
	}
}

func TestGCPercent(t *testing.T) {
	for held, want := range map[uint64]int{0: 200, growth / 8: 200, growth * 4 / 5: 125, growth: 100, 100 * growth: 100} {
		if got := gcPercent(held); got != want {
			t.Errorf("%d bytes: %d %%, want %d %%", held, got, want)
		}
	}
}
