package dispatcher

import (
	"context"
	"sync"

	"github.com/latticed/latticed/graph"
)

// running is a Run that takes dispatches up.
type running struct {
	ctx context.Context
	wg  *sync.WaitGroup
}

// takeUp lets r, or with nil nobody, take dispatches up.
func (d *Dispatcher) takeUp(r *running) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run, d.behind = r, true
}

// fill takes up what is pending, oldest first, as long as there is room. Those in the
// window that have not begun are still pending in the table, and passed over.
func (d *Dispatcher) fill(ctx context.Context) error {
	for {
		n, known := d.room()
		if n <= 0 {
			return nil // the end of a walker wakes us
		}
		ds, err := d.store.Pending(ctx, min(page, n), known)
		if err != nil {
			return err
		}
		if d.enter(ds, len(ds) < min(page, n)) {
			return nil
		}
	}
}

// room says how many dispatches have room, and which are there already.
func (d *Dispatcher) room() (n int, known func(number int64) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.behind = true // until all are read
	return d.opts.Window - len(d.live), func(number int64) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		_, ok := d.walked[number]
		return ok
	}
}

// enter takes up what was read. all: nothing else is pending, unless somebody wakes us.
func (d *Dispatcher) enter(ds []graph.Dispatch, all bool) (done bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range ds {
		if len(d.live) >= d.opts.Window {
			return true // newer ones came in meanwhile
		}
		d.start(d.run, graph.Run{Dispatch: g})
	}
	if all {
		d.behind = false
	}
	return all
}

// admit takes up a dispatch that was stored a moment ago, without reading it again,
// when nothing older waits and there is room. Otherwise it waits for its turn in the
// table, as all do that were stored when a process ended.
func (d *Dispatcher) admit(g graph.Dispatch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run == nil || d.behind || len(d.live) >= d.opts.Window {
		d.behind = true
		d.Wake()
		return
	}
	d.start(d.run, graph.Run{Dispatch: g})
}

// start makes a walker for r unless it has one; the lock is held.
func (d *Dispatcher) start(to *running, r graph.Run) bool {
	if d.live[r.Dispatch.ID] != nil {
		return false
	}
	w := newWalker(d, r)
	d.live[w.id] = w
	d.walked[w.number] = struct{}{}
	for _, a := range openAttempts(r) {
		d.owned[a.ID] = struct{}{}
	}
	to.wg.Go(func() {
		w.live(to.ctx, r, nil)
		d.left(w)
	})
	return true
}

// left makes room for the next.
func (d *Dispatcher) left(w *walker) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, w.id)
	delete(d.walked, w.number)
	if d.behind || w.sweep {
		d.Wake()
	}
}

func (d *Dispatcher) free() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opts.Window - len(d.live)
}
