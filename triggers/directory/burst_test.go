package directory

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestBurst_of_10000_files_half_of_them_while_nobody_watches(t *testing.T) {
	const n = 10_000
	w := newWorld(t)
	w.add(`,"event_names":["closed"],"settle":"100ms"`)
	drop := func(from, to int) {
		var wg sync.WaitGroup
		for part := range 4 {
			wg.Go(func() {
				for i := from + part; i < to; i += 4 {
					w.write(fmt.Sprintf("%05d.dat", i), "x")
				}
			})
		}
		wg.Wait()
	}
	drop(0, n/4)
	w.stop() // in the middle of it: some are recorded, some are hints, some nothing
	drop(n/4, 3*n/4)
	w.start()
	drop(3*n/4, n)
	eventually(w, "dispatches", w.dispatches, n)
	paths := map[string]bool{}
	for _, e := range w.events() {
		paths[e.Key] = true
	}
	if len(paths) != n {
		t.Errorf("%d events", len(paths))
	}
}

// dispatches counts what the trigger has dispatched; nothing here runs them.
func (w *world) dispatches() int {
	time.Sleep(100 * time.Millisecond) // counting is not free
	t, err := w.store.Trigger(w.Context(), "t")
	w.must(err)
	c, err := w.store.Counts(w.Context(), t.ID)
	w.must(err)
	return c.InFlight
}
