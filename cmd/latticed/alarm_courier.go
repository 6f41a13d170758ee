package main

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/triggers"
)

const (
	alarmQueue = 100              // alarms that wait for a courier
	alarmLimit = 30 * time.Second // of one try
	alarmTries = 3
	alarmPause = 5 * time.Second // before the second try; the third waits longer
)

// deliver tells somebody, once. body is the letter as JSON.
type deliver func(ctx context.Context, l letter, body []byte) error

// courier delivers alarms one after the other. When more wait than there is room for
// the oldest is dropped: the latest says how things are.
type courier struct {
	name    string
	deliver deliver
	log     zerolog.Logger
	limit   time.Duration
	pause   time.Duration
	wake    chan struct{}

	mu      sync.Mutex
	queue   []triggers.Alarm
	unsaid  int64 // dropped since the last letter
	results map[string]int64
}

// The ends of an alarm.
const (
	alarmDelivered = "delivered"
	alarmFailed    = "failed"
	alarmDropped   = "dropped"
)

func newCourier(name string, d deliver, log zerolog.Logger) *courier {
	return &courier{
		name: name, deliver: d, log: log, limit: alarmLimit, pause: alarmPause, wake: make(chan struct{}, 1),
		results: map[string]int64{alarmDelivered: 0, alarmFailed: 0, alarmDropped: 0},
	}
}

func (c *courier) add(a triggers.Alarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) >= alarmQueue {
		if c.unsaid == 0 { // how many it becomes is said with the next letter
			c.log.Warn().Str(keyBy, c.name).Str(keyTrigger, c.queue[0].Trigger).Msg("alarms are dropped: too many wait")
		}
		c.queue = c.queue[1:]
		c.unsaid++
		c.results[alarmDropped]++
	}
	c.queue = append(c.queue, a)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *courier) next() (a triggers.Alarm, dropped int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return a, 0, false
	}
	a, dropped = c.queue[0], c.unsaid
	c.queue, c.unsaid = c.queue[1:], 0
	return a, dropped, true
}

func (c *courier) count(result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.results[result]++
}

// stats are the alarms that ended, by how, and those that wait.
func (c *courier) stats() (results map[string]int64, waiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	results = map[string]int64{}
	for k, n := range c.results {
		results[k] = n
	}
	return results, len(c.queue)
}

func (c *courier) run(ctx context.Context) {
	for {
		a, dropped, ok := c.next()
		if ok {
			c.bring(ctx, a, dropped)
		}
		if ctx.Err() != nil {
			c.leave()
			return
		}
		if ok {
			continue
		}
		select {
		case <-ctx.Done():
		case <-c.wake:
		}
	}
}

// leave says what is not delivered any more.
func (c *courier) leave() {
	for {
		a, _, ok := c.next()
		if !ok {
			return
		}
		c.count(alarmDropped)
		c.log.Warn().Str(keyBy, c.name).Str(keyTrigger, a.Trigger).Msg("alarm dropped: the daemon stops")
	}
}

// bring delivers one alarm, or gives up.
func (c *courier) bring(ctx context.Context, a triggers.Alarm, dropped int64) {
	l, body, err := letterOf(a, dropped)
	said := func(e *zerolog.Event) *zerolog.Event {
		return e.Str(keyBy, c.name).Str(keyTrigger, a.Trigger).Str(keyStatus, string(a.State))
	}
	for try := 1; err == nil; try++ {
		began := time.Now()
		failed := c.once(ctx, l, body)
		took := time.Since(began)
		switch {
		case failed == nil:
			c.count(alarmDelivered)
			said(c.log.Info()).Dur(keyDur, took).Int64("dropped", dropped).Msg("alarm delivered")
			return
		case ctx.Err() != nil || try == alarmTries:
			err = failed
			continue
		}
		said(c.log.Warn()).Err(failed).Dur(keyDur, took).Int("try", try).Msg("alarm not delivered, it is tried again")
		select {
		case <-ctx.Done():
			err = failed
		case <-time.After(c.pause * time.Duration(try*try)):
		}
	}
	c.count(alarmFailed)
	said(c.log.Error()).Err(err).Msg("alarm not delivered")
}

// once is one try, within its limit.
func (c *courier) once(ctx context.Context, l letter, body []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit, errAlarmLimit{c.limit})
	defer cancel()
	err := c.deliver(ctx, l, body)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

type errAlarmLimit struct{ limit time.Duration }

func (e errAlarmLimit) Error() string { return "it did not end within " + e.limit.String() }
