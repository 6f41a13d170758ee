package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// writer owns the one connection that writes. Its fields below the line are touched by
// its goroutine only.
type writer struct {
	s      *Store
	queue  chan *unit
	mu     sync.RWMutex // guards closed, and sending against closing
	closed bool

	committed atomic.Int64 // seq of the last commit
	stats     writerStats
	// ---
	*session
	seq      int64
	lattices map[string]latticeRef // by id; lattices never change
	live     map[string]liveRef    // running dispatches by id
	batch    []*unit
	refused  bool // the last group held a unit that was refused: the next one may as well
}

func newWriter(ctx context.Context, s *Store, seq int64) (*writer, error) {
	w := &writer{
		s: s, queue: make(chan *unit, 4*s.o.GroupMax), seq: seq,
		lattices: map[string]latticeRef{}, live: map[string]liveRef{},
	}
	w.committed.Store(seq)
	pool, err := s.write.DB()
	if err != nil {
		return nil, err
	}
	w.session, err = newSession(ctx, pool)
	return w, err
}

func (w *writer) send(ctx context.Context, u *unit) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- u:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	close(w.queue)
}

// run commits until the queue is closed and empty.
func (w *writer) run() {
	defer func() { _ = w.session.close() }()
	for u := range w.queue {
		began := time.Now()
		w.collect(u)
		if len(w.batch) > 0 {
			w.commit(w.batch)
		}
		clear(w.batch)
		w.stats.busy.Add(int64(time.Since(began)))
	}
}

// collect takes what waits, without waiting for more.
func (w *writer) collect(first *unit) {
	w.batch = w.batch[:0]
	take := func(u *unit) {
		if u.state.CompareAndSwap(unitQueued, unitTaken) {
			w.batch = append(w.batch, u)
		}
	}
	take(first)
	for len(w.batch) < w.s.o.GroupMax {
		select {
		case u, ok := <-w.queue:
			if !ok {
				return
			}
			take(u)
		default:
			return
		}
	}
}

// commit makes a group durable in one transaction. When that fails as a whole, each
// unit is tried alone, so that one that cannot be stored does not fail the others.
func (w *writer) commit(group []*unit) {
	errs, err := w.attempt(group)
	if err != nil && len(group) > 1 && !errors.Is(err, ErrBusy) {
		for _, u := range group {
			w.commit([]*unit{u})
		}
		return
	}
	if err != nil {
		w.stats.fail(err)
	} else {
		w.stats.commit(errs)
		w.committed.Store(w.seq)
	}
	for i, u := range group {
		if err != nil {
			u.done <- err
			continue
		}
		if errs[i] == nil {
			w.publish(u)
		}
		u.done <- errs[i]
	}
}

// publish tells the world about a unit that is durable now.
func (w *writer) publish(u *unit) {
	w.s.counters.apply(u.delta)
	for _, f := range u.after {
		f()
	}
	w.s.watchers.wake(u.wrote, u.ended)
}

// attempt runs a group in one transaction. It returns what each unit said, or why
// nothing of the group was stored. Savepoints cost as much as a small unit, and hardly
// ever is one refused: a group does without, and begins anew with them when one is.
func (w *writer) attempt(group []*unit) ([]error, error) {
	if len(group) > 1 && !w.refused {
		errs, err := w.together(group, false)
		if err != nil || !w.refused {
			return errs, err
		}
	}
	w.refused = false
	return w.together(group, len(group) > 1)
}

// together runs units in one transaction, each under a savepoint, or all of them without
// until one is refused.
func (w *writer) together(group []*unit, savepoints bool) ([]error, error) {
	t, err := w.begin()
	if err != nil {
		return nil, storageError(err)
	}
	errs := make([]error, len(group))
	for i, u := range group {
		if errs[i], err = w.runUnit(t, u, savepoints); err != nil {
			w.abandon(t)
			return nil, storageError(err)
		}
		if errs[i] == nil {
			continue
		}
		if w.refused = len(group) > 1; w.refused && !savepoints {
			w.abandon(t)
			return nil, nil
		}
	}
	if !slices.Contains(errs, nil) { // nothing to commit
		w.abandon(t)
		return errs, nil
	}
	if _, err := t.exec("COMMIT"); err != nil {
		w.abandon(t)
		return nil, storageError(err)
	}
	return errs, nil
}

// runUnit runs one unit, under a savepoint or without. refused is the unit's own error,
// broken one after which the whole transaction must not go on: SQLite may have rolled it
// back, and what followed would be committed statement by statement.
func (w *writer) runUnit(t *tx, u *unit, savepoint bool) (refused, broken error) {
	if savepoint {
		if _, err := t.exec("SAVEPOINT unit"); err != nil {
			return nil, err
		}
	}
	t.unit(u)
	before := w.seq
	refused = protect(t, u.do)
	if isStorage(refused) {
		return nil, refused
	}
	if !savepoint {
		return refused, nil
	}
	if refused != nil {
		if _, err := t.exec("ROLLBACK TO unit"); err != nil {
			return nil, err
		}
		t.forget(before)
	}
	_, err := t.exec("RELEASE unit")
	return refused, err
}

// abandon rolls the whole group back.
func (w *writer) abandon(t *tx) {
	_, _ = t.exec("ROLLBACK") // SQLite may have done it itself
	t.forget(w.committed.Load())
}
