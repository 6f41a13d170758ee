package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// A unit is one caller's change.
type unit struct {
	do    func(*tx) error
	state atomic.Int32  // unitQueued → unitTaken by the writer, or unitLeft by its caller
	done  chan error    // one slot
	after []func()      // of the run that was committed
	wrote []string      // dispatches it touched
	ended []string      // and those that are final since, or gone
	delta []counterStep // what it adds to the counters
	once  *pendingOnce  // the idempotency key it has to save, or nil
}

const (
	unitQueued int32 = iota
	unitTaken
	unitLeft
)

// PanicError is what the caller of a unit that panicked gets; the writer goes on.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic in the store: %v", e.Value) }

// change runs do in a transaction and returns when that is durable, or not made at
// all. Once the writer has begun with it, the end of ctx no longer stops it.
func (s *Store) change(ctx context.Context, do func(*tx) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	u := &unit{do: do, done: make(chan error, 1)}
	if o := onceFrom(ctx); o != nil {
		u.do = o.around(do)
	}
	if p := auditFrom(ctx); p != nil {
		u.do = p.around(u.do)
	}
	if err := s.writer.send(ctx, u); err != nil {
		return err
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done():
		if u.state.CompareAndSwap(unitQueued, unitLeft) {
			return context.Cause(ctx)
		}
		return <-u.done
	}
}

func protect(t *tx, do func(*tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return do(t)
}
