package store

import (
	"slices"
	"sync"
)

// watchers are told after commits. A channel has one slot and carries no data: the
// reader looks at the store.
type watchers struct {
	mu     sync.Mutex
	all    map[string][]chan struct{} // under ""
	one    map[string][]chan struct{} // by dispatch
	ends   map[string][]chan struct{} // by dispatch
	closed bool
}

func newWatchers() *watchers {
	type m = map[string][]chan struct{}
	return &watchers{all: m{}, one: m{}, ends: m{}}
}

// Watch wakes after commits that touched a dispatch: the channel has one slot. The
// function ends it; Close of the store closes it.
func (s *Store) Watch(dispatchID string) (<-chan struct{}, func()) {
	return s.watchers.add(s.watchers.one, dispatchID)
}

// WatchEnd wakes once a dispatch is final or deleted, and when the store is closed.
func (s *Store) WatchEnd(dispatchID string) (<-chan struct{}, func()) {
	return s.watchers.add(s.watchers.ends, dispatchID)
}

// WatchAll wakes after every commit.
func (s *Store) WatchAll() (<-chan struct{}, func()) { return s.watchers.add(s.watchers.all, "") }

func (w *watchers) add(to map[string][]chan struct{}, id string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		close(c)
	} else {
		to[id] = append(to[id], c)
	}
	return c, sync.OnceFunc(func() { w.remove(to, id, c) })
}

func (w *watchers) remove(from map[string][]chan struct{}, id string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	from[id] = slices.DeleteFunc(from[id], func(o chan struct{}) bool { return o == c })
	if len(from[id]) == 0 {
		delete(from, id)
	}
}

func (w *watchers) wake(wrote, ended []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	nudgeAll(w.all[""])
	for _, id := range wrote {
		nudgeAll(w.one[id])
	}
	for _, id := range ended {
		nudgeAll(w.ends[id])
	}
}

func nudgeAll(cs []chan struct{}) {
	for _, c := range cs {
		nudge(c)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it looks already
	}
}

func (w *watchers) closeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, m := range []map[string][]chan struct{}{w.all, w.one, w.ends} {
		for _, cs := range m {
			for _, c := range cs {
				close(c)
			}
		}
		clear(m)
	}
}
