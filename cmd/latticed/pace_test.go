package main

import (
	"runtime"
	"testing"
)

// goal is the size of the heap at which it will be collected next.
func goal() uint64 {
	runtime.GC()
	runtime.GC() // the first may have found what was in use until then
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NextGC
}

func TestPace_lets_the_heap_grow_by_8_MB_at_least(t *testing.T) {
	usual := goal()
	stop := pace()
	if paced := goal(); paced < usual+8<<20 {
		t.Errorf("it is collected at %d bytes, without at %d", paced, usual)
	}
	stop()
}
