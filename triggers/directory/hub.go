package directory

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// hub shares one raw inotify descriptor and one fsnotify watcher among all triggers.
// Both are opened with the first watch and closed with the last.
type hub struct {
	mu    sync.Mutex // held while watches are added and removed
	raw   *rawWatcher
	fs    *fsWatcher
	rawBy int // watches that use it
	fsBy  int

	// interval is how often sources look at everything; 0: as they see fit.
	interval time.Duration
	// refuse is what the kernel answers instead of giving a watch, when set.
	refuse error
}

// watched is a folder that a trigger gets hints about.
type watched struct {
	hub   *hub
	hints *hints
	path  string // without symbolic links
	raw   bool
	fs    bool
	wd    int
}

// LimitError means that the kernel gives no more watches; Sysctl is what to raise.
type LimitError struct{ Sysctl string }

func (e *LimitError) Error() string {
	return "the limit of inotify is reached; raise it with: sysctl " + e.Sysctl
}

// limitError translates what the kernel answers at its limits: "no space left" and
// "too many open files" mislead people.
func limitError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return &LimitError{"fs.inotify.max_user_watches=524288"}
	case errors.Is(err, syscall.EMFILE):
		return &LimitError{"fs.inotify.max_user_instances=1024"}
	}
	return err
}

// watch makes hints arrive about the files of a folder: closings from the raw
// descriptor, the rest from fsnotify, as asked.
func (h *hub) watch(dir string, to *hints, raw, fs bool) (*watched, error) {
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &watched{hub: h, hints: to, path: resolved}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, limitError(h.refuse))
	}
	if raw {
		if err := h.addRaw(w); err != nil {
			return nil, fmt.Errorf("watch %s: %w", dir, limitError(err))
		}
	}
	if fs {
		if err := h.addFS(w); err != nil {
			h.drop(w)
			return nil, fmt.Errorf("watch %s: %w", dir, limitError(err))
		}
	}
	return w, nil
}

func (h *hub) addRaw(w *watched) error {
	if h.raw == nil {
		raw, err := openRaw()
		if err != nil {
			return err
		}
		h.raw = raw
	}
	h.rawBy++
	w.raw = true
	wd, err := h.raw.add(w.path, w.hints)
	if err != nil {
		h.releaseRaw(w)
		return err
	}
	w.wd = wd
	return nil
}

func (h *hub) addFS(w *watched) error {
	if h.fs == nil {
		fs, err := openFS()
		if err != nil {
			return err
		}
		h.fs = fs
	}
	h.fsBy++
	w.fs = true
	if err := h.fs.add(w.path, w.hints); err != nil {
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
		h.raw.remove(w.wd, w.hints)
		h.releaseRaw(w)
	}
	if w.fs {
		h.fs.remove(w.path, w.hints)
		h.releaseFS(w)
	}
}

func (h *hub) releaseRaw(w *watched) {
	w.raw = false
	if h.rawBy--; h.rawBy == 0 {
		h.raw.close()
		h.raw = nil
	}
}

func (h *hub) releaseFS(w *watched) {
	w.fs = false
	if h.fsBy--; h.fsBy == 0 {
		h.fs.close()
		h.fs = nil
	}
}
