package directory

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
)

// fsWatcher is an fsnotify watcher whose goroutine sorts events into hints.
type fsWatcher struct {
	watcher *fsnotify.Watcher
	done    chan struct{}

	// mu guards users. It is never held while the watcher is called: the watcher may
	// wait for its reader, which waits for mu.
	mu    sync.RWMutex
	users map[string][]user // by path without symbolic links

	overflows *atomic.Int64
}

func openFS(overflows *atomic.Int64) (*fsWatcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("open fsnotify: %w", err)
	}
	f := &fsWatcher{watcher: w, done: make(chan struct{}), users: map[string][]user{}, overflows: overflows}
	go f.read() // ends with close
	return f, nil
}

func (f *fsWatcher) close() {
	f.watcher.Close()
	<-f.done
}

// add watches dir. It is always added to the watcher, too: the folder may be another
// one than that of the same name which is watched already.
func (f *fsWatcher) add(dir string, to user) error {
	f.mu.Lock()
	f.users[dir] = append(f.users[dir], to)
	f.mu.Unlock()
	if err := f.watcher.Add(dir); err != nil {
		f.remove(dir, to)
		return fmt.Errorf("add a watch: %w", err)
	}
	return nil
}

func (f *fsWatcher) remove(dir string, to user) {
	f.mu.Lock()
	users := f.users[dir]
	if i := slices.Index(users, to); i >= 0 {
		users = slices.Delete(users, i, i+1)
	}
	if f.users[dir] = users; len(users) == 0 {
		delete(f.users, dir)
	}
	f.mu.Unlock()
	if len(users) == 0 {
		_ = f.watcher.Remove(dir) // gone already if the folder is
	}
}

func (f *fsWatcher) read() {
	defer close(f.done)
	for {
		select {
		case e, ok := <-f.watcher.Events:
			if !ok {
				return
			}
			f.sort(e)
		case err, ok := <-f.watcher.Errors:
			if !ok {
				return
			}
			f.everyone(errors.Is(err, fsnotify.ErrEventOverflow))
		}
	}
}

func (f *fsWatcher) sort(e fsnotify.Event) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !e.Has(fsnotify.Create) && !e.Has(fsnotify.Write) && !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Rename) {
		return // attributes only
	}
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		for _, u := range f.users[e.Name] { // a folder that is watched itself
			u.gone()
		}
	}
	dir, name := filepath.Split(e.Name)
	for _, u := range f.users[filepath.Clean(dir)] {
		u.add(name, 0)
	}
}

// everyone tells all to look at everything: hints were lost. After any other error
// than an overflow the folders may not be watched any more.
func (f *fsWatcher) everyone(overflow bool) {
	if overflow {
		f.overflows.Add(1)
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, users := range f.users {
		for _, u := range users {
			u.hints.lose(!overflow)
		}
	}
}
