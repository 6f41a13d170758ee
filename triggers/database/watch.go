package database

import (
	"context"
	"sync"
	"time"
)

// watch looks at the stamp of a link for those who wait for a change.
type watch struct {
	mu      sync.Mutex
	last    string // the stamp that was seen last
	waiting map[*source]waiter
	every   time.Duration // how often is looked; 0: not until stirred
	stir    chan struct{} // one slot: somebody wants that oftener
	stop    context.CancelFunc
	gone    chan struct{}
}

// waiter is a source that has seen a stamp.
type waiter struct {
	stamp string
	every time.Duration
	wake  func()
}

func (w *watch) init() {
	w.waiting = map[*source]waiter{}
	w.stir = make(chan struct{}, 1)
}

// saw notes the stamp that somebody has read, and wakes those who wait for another.
func (w *watch) saw(stamp string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stamp == w.last {
		return
	}
	w.last = stamp
	for s, of := range w.waiting {
		if of.stamp != stamp {
			delete(w.waiting, s)
			of.wake()
		}
	}
}

// wakeAll wakes everybody: the database can't be asked.
func (w *watch) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s, of := range w.waiting {
		delete(w.waiting, s)
		of.wake()
	}
	w.last = ""
}

// await wakes a source once the stamp is another one, which is looked at every so often.
func (l *link) await(s *source, of waiter) {
	w := &l.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if of.stamp != w.last {
		of.wake()
		return
	}
	w.waiting[s] = of
	if w.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		w.stop, w.gone = stop, make(chan struct{})
		go l.look(ctx)
	}
	if w.every == 0 || of.every < w.every {
		select {
		case w.stir <- struct{}{}:
		default: // it is awake
		}
	}
}

// quit ends the waiting of a source.
func (w *watch) quit(s *source) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, s)
}

// pace is how long until the next look.
func (w *watch) pace() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.every = 0
	for _, of := range w.waiting {
		if w.every == 0 || of.every < w.every {
			w.every = of.every
		}
	}
	if w.every == 0 {
		return time.Hour
	}
	return w.every
}

// look looks at the stamp as long as anybody waits. It is the one goroutine of a link.
func (l *link) look(ctx context.Context) {
	defer close(l.watch.gone)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(l.watch.pace())
		select {
		case <-ctx.Done():
			return
		case <-l.watch.stir:
			continue
		case <-timer.C:
		}
		hung := time.AfterFunc(patience, l.watch.wakeAll) // who waits finds out what is wrong
		err := l.use(ctx, func(context.Context, *session) error { return nil })
		if hung.Stop(); err != nil {
			l.watch.wakeAll()
		}
	}
}

// end ends the looking, and waits for it.
func (w *watch) end() {
	w.mu.Lock()
	stop, gone := w.stop, w.gone
	w.mu.Unlock()
	if stop != nil {
		stop()
		<-gone
	}
}
