package directory

import "sync"

// maxHints bounds what one trigger has to look at by name; beyond it everything is
// looked at.
const maxHints = 1 << 16

// hint names a file that something happened to.
type hint struct {
	name   string
	closed bool // its writer closed it, or it was moved into place
}

// hints collects for one trigger what the descriptors tell, coalesced by name, in
// order of first mention. Writers are the hub's goroutines, the reader is the
// trigger's.
type hints struct {
	wake chan struct{} // one slot, no data: a file was closed, or hints were lost
	soft chan struct{} // the same for the rest, which may be collected a little

	mu     sync.Mutex
	list   []hint
	at     map[string]int
	rescan bool // something was lost: look at everything
	moved  bool // the folder itself went away: watch it anew
}

func newHints() *hints {
	return &hints{wake: make(chan struct{}, 1), soft: make(chan struct{}, 1)}
}

// add notes a name.
func (h *hints) add(name string, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	bell := h.soft
	if closed {
		bell = h.wake
	}
	i, known := h.at[name]
	switch {
	case known:
		h.list[i].closed = h.list[i].closed || closed
	case len(h.list) >= maxHints:
		h.rescan = true
	default:
		if h.at == nil {
			h.at = make(map[string]int)
		}
		h.at[name] = len(h.list)
		h.list = append(h.list, hint{name, closed})
	}
	ring(bell)
}

// lose notes that hints were lost, and whether the folder itself is gone.
func (h *hints) lose(moved bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rescan, h.moved = true, h.moved || moved
	ring(h.wake)
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default: // it is awake
	}
}

// take empties the collection.
func (h *hints) take() (list []hint, rescan, moved bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, rescan, moved = h.list, h.rescan, h.moved
	h.list, h.at, h.rescan, h.moved = nil, nil, false, false
	return list, rescan, moved
}
