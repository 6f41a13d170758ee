package api

import (
	"context"
	"sync"
)

// turns lets requests with the same idempotency key go one after the other, where no
// transaction of the first would stop the second. The zero value is ready.
type turns struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the turn is over
}

// take waits until nobody has the key, or ctx ends; leave ends the turn.
func (t *turns) take(ctx context.Context, key string) (leave func(), err error) {
	for {
		t.mu.Lock()
		before, busy := t.held[key]
		if !busy {
			if t.held == nil {
				t.held = map[string]chan struct{}{}
			}
			over := make(chan struct{})
			t.held[key] = over
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.held, key)
				t.mu.Unlock()
				close(over)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
