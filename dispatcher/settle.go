package dispatcher

import (
	"context"
	"sync"

	"github.com/latticed/latticed/executors"
)

// settle tells the executors which of the attempts they remember are still wanted.
func (d *Dispatcher) settle(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, e := range d.execs {
		if s, ok := e.(executors.Settler); ok {
			wg.Go(func() {
				d.persist(ctx, "settle "+name, func() error { return s.Settle(ctx, d.owns) })
			})
		}
	}
}

func (d *Dispatcher) owns(attempt string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.owned[attempt]
	return ok
}

func (d *Dispatcher) own(attempt string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owned[attempt] = struct{}{}
}

func (d *Dispatcher) disown(attempt string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.owned, attempt)
}
