package directory

import "sync"

// maxHints bounds what one trigger has to look at by name; beyond it everything is
// looked at.
const maxHints = 1 << 16

// sign is what is known of a happening besides its name.
type sign uint8

const (
	signClosed  sign = 1 << iota // its writer closed the file
	signArrived                  // it was moved into place
	signLost                     // the watch of a folder may be gone
)

// whole tells whether a file that is not known under another name is complete.
func (s sign) whole() bool { return s&(signClosed|signArrived) != 0 }

// hint names a file or a folder that something happened to, relative to the root.
type hint struct {
	name string
	sign sign
	from string // its name before it was moved, if the kernel told
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
	urgent                // a file is complete, or hints were lost
)

// add notes a name.
func (h *hints) add(n hint) {
	u := soft
	if n.sign != 0 {
		u = urgent
	}
	defer h.ring(u)
	h.mu.Lock()
	defer h.mu.Unlock()
	i, known := h.at[n.name]
	switch {
	case known:
		h.list[i].sign |= n.sign
		if n.from != "" {
			h.list[i].from = n.from
		}
	case len(h.list) >= maxHints:
		h.rescan = true
	default:
		if h.at == nil {
			h.at = make(map[string]int)
		}
		h.at[n.name] = len(h.list)
		h.list = append(h.list, n)
	}
}

// user is whom a watch is for: a trigger, and which of its folders.
type user struct {
	hints *hints
	rel   string // relative to the root, which is ""
}

// path is that of a name in the folder, relative to the root.
func (u user) path(name string) string {
	if u.rel == "" {
		return name
	}
	return u.rel + "/" + name
}

// add notes a name in the folder.
func (u user) add(name string, how sign) { u.hints.add(hint{name: u.path(name), sign: how}) }

// gone notes that the folder is not where it was, or not watched any more.
func (u user) gone() {
	if u.rel == "" {
		u.hints.lose(true)
	} else {
		u.hints.add(hint{name: u.rel, sign: signLost})
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
