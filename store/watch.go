package store

import (
	"slices"
	"sync"
)

// watchers are told after commits. A channel has one slot and carries no data: the
// reader looks at the store.
type watchers struct {
	mu     sync.Mutex
	all    []chan struct{}
	one    map[string][]chan struct{}
	closed bool
}

// Watch wakes after commits that touched a dispatch: the channel has one slot. The
// function ends it; Close of the store closes it.
func (s *Store) Watch(dispatchID string) (<-chan struct{}, func()) {
	return s.watchers.add(dispatchID)
}

// WatchAll wakes after every commit.
func (s *Store) WatchAll() (<-chan struct{}, func()) { return s.watchers.add("") }

func (w *watchers) add(id string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		close(c)
	case id == "":
		w.all = append(w.all, c)
	default:
		if w.one == nil {
			w.one = map[string][]chan struct{}{}
		}
		w.one[id] = append(w.one[id], c)
	}
	return c, sync.OnceFunc(func() { w.remove(id, c) })
}

func (w *watchers) remove(id string, c chan struct{}) {
	is := func(o chan struct{}) bool { return o == c }
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if id == "" {
		w.all = slices.DeleteFunc(w.all, is)
		return
	}
	if w.one[id] = slices.DeleteFunc(w.one[id], is); len(w.one[id]) == 0 {
		delete(w.one, id)
	}
}

func (w *watchers) wake(dispatches []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.all {
		nudge(c)
	}
	for _, id := range dispatches {
		for _, c := range w.one[id] {
			nudge(c)
		}
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
	for _, c := range w.all {
		close(c)
	}
	for _, cs := range w.one {
		for _, c := range cs {
			close(c)
		}
	}
	w.all, w.one = nil, nil
}
