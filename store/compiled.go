package store

import (
	"container/list"
	"sync"

	"github.com/latticed/latticed/graph"
)

// compiledCache keeps the lattices that were used last. They are immutable, so only
// deletion makes one stale.
type compiledCache struct {
	max int

	mu    sync.Mutex
	byID  map[string]*list.Element
	order list.List // of *graph.Lattice, used last in front
}

func (c *compiledCache) get(id string) *graph.Lattice {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*graph.Lattice)
}

func (c *compiledCache) put(l *graph.Lattice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[l.ID] != nil {
		return
	}
	if c.byID == nil {
		c.byID = map[string]*list.Element{}
	}
	c.byID[l.ID] = c.order.PushFront(l)
	for c.order.Len() > c.max {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.byID, last.Value.(*graph.Lattice).ID)
	}
}

func (c *compiledCache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byID[id]; e != nil {
		c.order.Remove(e)
		delete(c.byID, id)
	}
}
