package dispatcher

import (
	"context"
	"sync"

	"github.com/latticed/latticed/executors"
)

// settle tells the executors which of the attempts they remember are still wanted. What
// ends and is released meanwhile counts as wanted: an executor may have listed it before,
// and knows already whether its directory is kept.
func (d *Dispatcher) settle(ctx context.Context) {
	d.part(map[string]struct{}{})
	defer d.part(nil)
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
	_, parted := d.parted[attempt]
	return ok || parted
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
	if d.parted != nil {
		d.parted[attempt] = struct{}{}
	}
}

func (d *Dispatcher) part(from map[string]struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.parted = from
}
