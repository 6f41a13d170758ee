package directory

import (
	"fmt"
	"runtime"
	"testing"
)

// TestIdle_memory holds what a trigger on a small folder costs while nothing happens.
func TestIdle_memory(t *testing.T) {
	const n, most = 500, 6 << 10
	w := newWorld(t)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for i := range n {
		w.put(fmt.Sprintf("%05d/a", i), "1")
		w.put(fmt.Sprintf("%05d/b", i), "1")
	}
	list := make([]*lone, n)
	before := heap()
	for i := range list {
		list[i] = newLone(t, w.hub, w.path(fmt.Sprintf("%05d", i)), "")
		list[i].run()
		list[i].entities, list[i].keys = nil, nil // those of the ledger are on disk
	}
	each := (heap() - before) / n
	t.Logf("%d bytes each", each)
	if each > most {
		t.Errorf("an idle trigger takes %d bytes, want at most %d", each, most)
	}
	for _, l := range list {
		l.close()
	}
}
