package dispatcher_test

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// simulate runs f in a bubble of simulated time, on one processor: timers of a bubble
// share one context of the race detector, and two that fire at the same moment on two
// processors crash it.
func simulate(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
