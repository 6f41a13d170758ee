package store

import (
	"context"
	"sync"

	"gorm.io/gorm"
)

// counters keeps, per trigger, numbers that are asked for at every decision and would
// cost a scan. They are counted when the store opens and follow each commit.
type counters struct {
	mu sync.Mutex
	m  map[int64]triggerCount
}

type triggerCount struct {
	pending  int64 // events pending or held
	inFlight int   // non-terminal dispatches
	ending   int   // those of them that were asked to end
	lastEnd  int64 // µs: when a dispatch ended last since the store was opened
}

// counterStep is what a unit adds.
type counterStep struct {
	trigger int64
	triggerCount
}

// What is counted at the start. Only what runs can be asked to end and not be over.
const (
	countUndecided = "SELECT trigger, count(*) AS n FROM events INDEXED BY events_undecided WHERE firing IS NULL GROUP BY trigger"
	countInFlight  = `SELECT trigger, count(*) AS n FROM dispatches INDEXED BY dispatches_in_flight
		WHERE trigger IS NOT NULL AND (status = 'new' OR status = 'pending' OR status = 'running') GROUP BY trigger`
	countEnding = `SELECT trigger, count(*) AS n FROM dispatches INDEXED BY dispatches_status
		WHERE status = 'running' AND trigger IS NOT NULL AND cancel_requested_at IS NOT NULL GROUP BY trigger`
)

func (c *counters) load(ctx context.Context, db *gorm.DB) error {
	c.m = map[int64]triggerCount{}
	for _, part := range []struct {
		q   string
		set func(*triggerCount, int64)
	}{
		{countUndecided, func(c *triggerCount, n int64) { c.pending = n }},
		{countInFlight, func(c *triggerCount, n int64) { c.inFlight = int(n) }},
		{countEnding, func(c *triggerCount, n int64) { c.ending = int(n) }},
	} {
		var rows []struct{ Trigger, N int64 }
		if err := db.WithContext(ctx).Raw(part.q).Scan(&rows).Error; err != nil {
			return err
		}
		for _, r := range rows {
			n := c.m[r.Trigger]
			part.set(&n, r.N)
			c.m[r.Trigger] = n
		}
	}
	return nil
}

func (c *counters) apply(steps []counterStep) {
	if len(steps) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range steps {
		n := c.m[s.trigger]
		n.pending += s.pending
		n.inFlight += s.inFlight
		n.ending += s.ending
		n.lastEnd = max(n.lastEnd, s.lastEnd)
		if n == (triggerCount{}) {
			delete(c.m, s.trigger)
			continue
		}
		c.m[s.trigger] = n
	}
}

func (c *counters) of(trigger int64) triggerCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[trigger]
}

// countPending notes that events became undecided (or, negative, decided).
func (t *tx) countPending(trigger, n int64) {
	if n != 0 {
		t.u.delta = append(t.u.delta, counterStep{trigger, triggerCount{pending: n}})
	}
}

// countBegin notes that a dispatch of a trigger was inserted.
func (t *tx) countBegin(trigger int64) {
	if trigger != 0 {
		t.u.delta = append(t.u.delta, counterStep{trigger, triggerCount{inFlight: 1}})
	}
}

// countEnding notes that a dispatch of a trigger was asked to end.
func (t *tx) countEnding(trigger int64) {
	if trigger != 0 {
		t.u.delta = append(t.u.delta, counterStep{trigger, triggerCount{ending: 1}})
	}
}

// countEnd notes that a dispatch of a trigger ended; asked says that it was asked to.
func (t *tx) countEnd(trigger int64, asked bool, at int64) {
	if trigger == 0 {
		return
	}
	c := triggerCount{inFlight: -1, lastEnd: at}
	if asked {
		c.ending = -1
	}
	t.u.delta = append(t.u.delta, counterStep{trigger, c})
}
