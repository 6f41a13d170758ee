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
	wake func() // runs the source; see triggers.From

	mu     sync.Mutex
	rung   urgency // what the source was woken for since the last take
	list   []hint
	at     map[string]int
	rescan bool // something was lost: look at everything
	moved  bool // the folder itself went away: watch it anew
}

// urgency says how soon hints have to be taken.
type urgency uint8

const (
	idle   urgency = iota // there are none
	soft                  // they may be collected a little
	urgent                // a file was closed, or hints were lost
)

// add notes a name.
func (h *hints) add(name string, closed bool) {
	u := soft
	if closed {
		u = urgent
	}
	defer h.ring(u)
	h.mu.Lock()
	defer h.mu.Unlock()
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
}

// lose notes that hints were lost, and whether the folder itself is gone.
func (h *hints) lose(moved bool) {
	defer h.ring(urgent)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rescan, h.moved = true, h.moved || moved
}

// ring wakes the source unless it was for something as urgent.
func (h *hints) ring(u urgency) {
	h.mu.Lock()
	first := u > h.rung
	h.rung = max(h.rung, u)
	h.mu.Unlock()
	if first {
		h.wake()
	}
}

// waiting says how urgent the hints are that were not taken yet.
func (h *hints) waiting() urgency {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rung
}

// take empties the collection.
func (h *hints) take() (list []hint, rescan, moved bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, rescan, moved = h.list, h.rescan, h.moved
	h.list, h.at, h.rescan, h.moved, h.rung = nil, nil, false, false, idle
	return list, rescan, moved
}
