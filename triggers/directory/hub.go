package directory

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what the administrator decides for all triggers on folders.
type Options struct {
	// Roots are the folders that triggers may look into, links resolved; empty: all.
	Roots []string
}

// hub shares descriptors among all triggers.
type hub struct {
	mu    sync.Mutex
	pools map[uint64]*pool // by the file system they are for; local: all local ones

	counters
	instances atomic.Int64 // descriptors that are open

	roots []string // see Options
	// interval is how often sources look at everything; 0: as they see fit.
	interval time.Duration
	// linger is how long names may be missing; 0: the constant.
	linger time.Duration
	// probed is how many names a look beside Run goes through; 0: the constant.
	probed int
	// refuse is what the kernel answers instead of giving a watch, when set.
	refuse func(dir string) error
}

// pool is a raw inotify descriptor and an fsnotify watcher. Both are opened with the
// first watch and closed with the last. All local file systems share one pool. Network
// file systems have one each: to be asked for a watch, the kernel goes to the server,
// and if that is gone, those wait who use the same pool.
type pool struct {
	hub *hub

	mu    sync.Mutex // held while watches are added and removed
	raw   *rawWatcher
	fs    *fsWatcher
	rawBy int // watches that use it
	fsBy  int
}

// local is the key of the pool of all local file systems.
const local = 0

// pool returns the one for a folder.
func (h *hub) pool(d *folder) *pool {
	key := uint64(local)
	if d.network != "" {
		key = d.dev
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pools[key]
	if p == nil {
		if h.pools == nil {
			h.pools = map[uint64]*pool{}
		}
		p = &pool{hub: h}
		h.pools[key] = p
	}
	return p
}

// watched is a folder that a trigger gets hints about.
type watched struct {
	pool *pool
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
	unmount bool // raw has to tell only that the file system is unmounted, of which fsnotify says nothing
}

// watch makes hints arrive about the files of a folder: closings from the raw
// descriptor, the rest from fsnotify, as asked. No part of dir is a link.
func (p *pool) watch(dir string, to user, want wanted) (*watched, error) {
	w := &watched{pool: p, to: to, path: dir}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hub.refuse != nil {
		if err := p.hub.refuse(dir); err != nil {
			return nil, fmt.Errorf("watch %s: %w", dir, p.hub.limitError(err))
		}
	}
	if want.raw {
		if err := p.addRaw(w, want.mask()); err != nil {
			return nil, fmt.Errorf("watch %s: %w", dir, p.hub.limitError(err))
		}
	}
	if want.fs {
		if err := p.addFS(w); err != nil {
			p.drop(w)
			return nil, fmt.Errorf("watch %s: %w", dir, p.hub.limitError(err))
		}
	}
	return w, nil
}

func (p *pool) addRaw(w *watched, mask uint32) error {
	if p.raw == nil {
		raw, err := openRaw(&p.hub.overflows)
		if err != nil {
			return err
		}
		p.raw = raw
		p.hub.instances.Add(1)
	}
	p.rawBy++
	p.hub.watches.Add(1)
	w.raw = true
	wd, err := p.raw.add(w.path, w.to, mask)
	if err != nil {
		p.releaseRaw(w)
		return err
	}
	w.wd = wd
	return nil
}

func (p *pool) addFS(w *watched) error {
	if p.fs == nil {
		fs, err := openFS(&p.hub.overflows)
		if err != nil {
			return err
		}
		p.fs = fs
		p.hub.instances.Add(1)
	}
	p.fsBy++
	p.hub.watches.Add(1)
	w.fs = true
	if err := p.fs.add(w.path, w.to); err != nil {
		p.releaseFS(w)
		return err
	}
	return nil
}

// close ends the hints. The last one closes the descriptors and waits for their
// goroutines.
func (w *watched) close() {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	w.pool.drop(w)
}

func (p *pool) drop(w *watched) {
	if w.raw {
		p.raw.remove(w.wd, w.to)
		p.releaseRaw(w)
	}
	if w.fs {
		p.fs.remove(w.path, w.to)
		p.releaseFS(w)
	}
}

func (p *pool) releaseRaw(w *watched) {
	w.raw = false
	p.hub.watches.Add(-1)
	if p.rawBy--; p.rawBy == 0 {
		p.raw.close()
		p.raw = nil
		p.hub.instances.Add(-1)
	}
}

func (p *pool) releaseFS(w *watched) {
	w.fs = false
	p.hub.watches.Add(-1)
	if p.fsBy--; p.fsBy == 0 {
		p.fs.close()
		p.fs = nil
		p.hub.instances.Add(-1)
	}
}
