package directory

import (
	"fmt"
	"sync"
	"time"
)

// Options are what the administrator decides for all triggers on folders.
type Options struct {
	// Roots are the folders that triggers may look into, links resolved; empty: all.
	Roots []string
}

// hub shares one raw inotify descriptor and one fsnotify watcher among all triggers.
// Both are opened with the first watch and closed with the last.
type hub struct {
	mu    sync.Mutex // held while watches are added and removed
	raw   *rawWatcher
	fs    *fsWatcher
	rawBy int // watches that use it
	fsBy  int

	counters

	roots []string // see Options
	// interval is how often sources look at everything; 0: as they see fit.
	interval time.Duration
	// linger is how long names may be missing; 0: the constant.
	linger time.Duration
	// refuse is what the kernel answers instead of giving a watch, when set.
	refuse error
}

// watched is a folder that a trigger gets hints about.
type watched struct {
	hub  *hub
	to   user
	path string // without symbolic links
	raw  bool
	fs   bool
	wd   int
}

// wanted says what hints are to come from.
type wanted struct {
	raw, fs bool
	folders bool // raw has to tell of new folders, too
}

// watch makes hints arrive about the files of a folder: closings from the raw
// descriptor, the rest from fsnotify, as asked. No part of dir is a link.
func (h *hub) watch(dir string, to user, want wanted) (*watched, error) {
	w := &watched{hub: h, to: to, path: dir}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, h.limitError(h.refuse))
	}
	if want.raw {
		if err := h.addRaw(w, want.folders); err != nil {
			return nil, fmt.Errorf("watch %s: %w", dir, h.limitError(err))
		}
	}
	if want.fs {
		if err := h.addFS(w); err != nil {
			h.drop(w)
			return nil, fmt.Errorf("watch %s: %w", dir, h.limitError(err))
		}
	}
	return w, nil
}

func (h *hub) addRaw(w *watched, folders bool) error {
	if h.raw == nil {
		raw, err := openRaw(&h.overflows)
		if err != nil {
			return err
		}
		h.raw = raw
	}
	h.rawBy++
	h.watches.Add(1)
	w.raw = true
	wd, err := h.raw.add(w.path, w.to, folders)
	if err != nil {
		h.releaseRaw(w)
		return err
	}
	w.wd = wd
	return nil
}

func (h *hub) addFS(w *watched) error {
	if h.fs == nil {
		fs, err := openFS(&h.overflows)
		if err != nil {
			return err
		}
		h.fs = fs
	}
	h.fsBy++
	h.watches.Add(1)
	w.fs = true
	if err := h.fs.add(w.path, w.to); err != nil {
		h.releaseFS(w)
		return err
	}
	return nil
}

// close ends the hints. The last one closes the descriptors and waits for their
// goroutines.
func (w *watched) close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.hub.drop(w)
}

func (h *hub) drop(w *watched) {
	if w.raw {
		h.raw.remove(w.wd, w.to)
		h.releaseRaw(w)
	}
	if w.fs {
		h.fs.remove(w.path, w.to)
		h.releaseFS(w)
	}
}

func (h *hub) releaseRaw(w *watched) {
	w.raw = false
	h.watches.Add(-1)
	if h.rawBy--; h.rawBy == 0 {
		h.raw.close()
		h.raw = nil
	}
}

func (h *hub) releaseFS(w *watched) {
	w.fs = false
	h.watches.Add(-1)
	if h.fsBy--; h.fsBy == 0 {
		h.fs.close()
		h.fs = nil
	}
}
