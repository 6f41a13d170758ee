package dispatcher

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/latticed/latticed/graph"
)

// Codes of what holds everything.
const (
	// HoldRestored says that the state directory was restored from a backup: nothing is
	// taken up, found again or asked for until somebody has looked.
	HoldRestored = "hold"
	// HoldDisk says that there is little space: what runs goes on, no attempt starts.
	HoldDisk = "disk"
)

// holds are the reasons for which nothing starts, in the order they came.
type holds struct {
	mu  sync.Mutex
	all []graph.Waiting
}

// first is the oldest reason, nil when there is none.
func (h *holds) first() *graph.Waiting {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) == 0 {
		return nil
	}
	w := h.all[0]
	return &w
}

// has tells whether a reason is among them.
func (h *holds) has(code string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.all, is(code))
}

func is(code string) func(graph.Waiting) bool {
	return func(w graph.Waiting) bool { return w.Code == code }
}

// change changes the reasons, and with them whether slots are handed out.
func (h *holds) change(by map[string]*slots, f func([]graph.Waiting) []graph.Waiting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = f(h.all)
	for _, s := range by {
		s.shut(len(h.all) > 0)
	}
}

// Hold keeps attempts from starting until Release is called with the same code; those
// that run go on. Dispatches show code and detail as what they wait for. It may be
// called before Run, and twice.
func (d *Dispatcher) Hold(code, detail string) {
	d.holds.change(d.slots, func(all []graph.Waiting) []graph.Waiting {
		if slices.ContainsFunc(all, is(code)) {
			return all
		}
		return append(all, graph.Waiting{Code: code, Since: time.Now().UTC().Round(time.Microsecond), Detail: detail})
	})
	d.signalAll()
}

// Release ends the hold of that code. When it was the last, everything goes on.
func (d *Dispatcher) Release(code string) {
	d.holds.change(d.slots, func(all []graph.Waiting) []graph.Waiting { return slices.DeleteFunc(all, is(code)) })
	d.signalAll()
	d.Wake()
}

// Held says why nothing starts; nil when it does.
func (d *Dispatcher) Held() *graph.Waiting { return d.holds.first() }

// SetParallel changes how many attempts run at a time on each executor; those that run
// above a smaller number go on.
func (d *Dispatcher) SetParallel(n int) {
	for _, s := range d.slots {
		s.resize(parallel(n))
	}
}

// signalAll lets every walker plan anew, so that what it waits for is shown as it is.
func (d *Dispatcher) signalAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.live {
		w.signal()
	}
}

// untilRestored waits for the end of the hold after a restore; false when ctx ends first.
func (d *Dispatcher) untilRestored(ctx context.Context) bool {
	for d.holds.has(HoldRestored) {
		if !d.sleepUntilWoken(ctx) {
			return false
		}
	}
	return true
}
