package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// growth is how much the heap grows at least between two collections. By itself Go lets it
// double, and of the daemon, which holds two or three megabytes, it would collect two or
// three times as often under load.
const growth = 8 << 20

// pace keeps to growth until stop is called. Who sets GOGC has it as it is.
func pace() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	p := &pacer{held: []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}}
	p.was = debug.SetGCPercent(100)
	p.percent = 100
	p.follow(&pacerMark{})
	return p.stop
}

// pacer looks at the heap after each collection.
type pacer struct {
	mu      sync.Mutex
	held    []metrics.Sample // what the percentage is of
	was     int              // before
	percent int              // as it is
	stopped bool
}

// pacerMark is what a collection finds, so that its finalizer runs after each. It is not
// tiny: those share a block, which others keep.
type pacerMark struct{ _ [64]byte }

func (p *pacer) follow(m *pacerMark) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	metrics.Read(p.held)
	held := uint64(0)
	for _, m := range p.held {
		held += m.Value.Uint64()
	}
	want := gcPercent(held)
	if diff := want - p.percent; diff > p.percent/8 || -diff > p.percent/8 { // setting it stops the world for a moment
		debug.SetGCPercent(want)
		p.percent = want
	}
	runtime.SetFinalizer(m, p.follow)
}

func (p *pacer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	debug.SetGCPercent(p.was)
}

// gcPercent is by how much the heap of a program may grow that holds so many bytes. Up to
// a least size, which is 4 MiB at 100 %, it grows in any case.
func gcPercent(held uint64) int {
	const usual, most = 100, growth * 100 / (4 << 20)
	return int(min(most, max(usual, growth*100/max(held, 1))))
}
