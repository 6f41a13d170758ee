package database

import (
	"context"
	"slices"
	"sync"
	"time"
)

// channels are what triggers of a link listen to. One goroutine listens for all; a
// message makes a trigger poll earlier and says nothing that is believed.
type channels struct {
	mu      sync.Mutex
	of      map[*source]ear
	stop    context.CancelFunc // nil: nobody listens
	gone    chan struct{}
	problem string // why nothing is heard; empty: it is, or soon
}

type ear struct {
	channel string
	wake    func()
}

// hear wakes a source when something is sent to a channel, until deafen. It returns why
// nothing is heard, if that is so.
func (l *link) hear(s *source, of ear) string {
	c := &l.channels
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, is := c.of[s]; is {
		return c.problem
	}
	known := slices.Contains(c.names(), of.channel)
	if c.of == nil {
		c.of = map[*source]ear{}
	}
	c.of[s] = of
	if !known {
		c.restart(l)
	}
	return c.problem
}

// deafen ends what hear began.
func (c *channels) deafen(s *source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.of, s)
}

// names are the channels, sorted. c.mu is held.
func (c *channels) names() []string {
	var names []string
	for _, of := range c.of {
		if !slices.Contains(names, of.channel) {
			names = append(names, of.channel)
		}
	}
	slices.Sort(names)
	return names
}

// restart listens to the channels that are wanted now. c.mu is held.
func (c *channels) restart(l *link) {
	before := c.gone
	if c.stop != nil {
		c.stop()
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.gone = stop, make(chan struct{})
	go l.listen(ctx, c.names(), before, c.gone)
}

// listen listens until ctx ends; before is closed when those before have ended.
func (l *link) listen(ctx context.Context, names []string, before, gone chan struct{}) {
	defer close(gone)
	if before != nil {
		<-before
	}
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		began := time.Now()
		problem := l.listenOnce(ctx, names)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > retryLast {
			wait = retryFirst
		}
		l.channels.say(problem)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// listenOnce listens over one connection and says why that has ended.
func (l *link) listenOnce(ctx context.Context, names []string) string {
	a, err := l.at.address()
	if err != nil {
		return err.Error()
	}
	d, err := dialectOf(a.engine)
	if err != nil {
		return err.Error()
	}
	hears, ok := d.(listener)
	if !ok {
		return "only PostgreSQL has channels"
	}
	return newRedactor(a).text(hears.listen(ctx, a, names, l.channels.wake).Error())
}

// say notes why nothing is heard. Those who listen show it, which may be long before
// their next poll.
func (c *channels) say(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	heard := c.problem == ""
	c.problem = problem
	for _, of := range c.of {
		if heard {
			of.wake()
		}
	}
}

// wake wakes those who listen to a channel.
func (c *channels) wake(channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = ""
	for s, of := range c.of {
		if of.channel == channel {
			s.hinted.Store(true)
			of.wake()
		}
	}
}

// end ends the ear, and waits for it.
func (c *channels) end() {
	c.mu.Lock()
	stop, gone := c.stop, c.gone
	c.mu.Unlock()
	if stop != nil {
		stop()
		<-gone
	}
}
