package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// source watches one table for one trigger.
type source struct {
	pool *pool
	config
	seat uint64 // among all sources

	hinted atomic.Bool // somebody sent something to its channel
	found  atomic.Pointer[described]

	mu     sync.Mutex // held by Run and Close
	link   *link      // nil before the first run
	polled time.Time  // last
	due    time.Time  // of the next poll
	fit    func(graph.Env) error
	fitted []column // with which it was asked last
	fat    int      // how large the rows of the last batch were on average, in bytes; 0: nobody knows
}

// cursor is where a trigger stands.
type cursor struct {
	Scope string `json:"scope"`
	frontier
	Polls int64 `json:"polls,omitempty"` // of mode level: how many have found rows
}

// calm is how long nobody needs to look at what stands still.
const calm = time.Hour

// Run polls when it is time to, and asks to be run again.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var down *downError
	if s.link == nil {
		var err error
		s.link, err = s.pool.join(ctx, s.place)
		switch {
		case errors.As(err, &down):
			return s.wait(from, down)
		case err != nil:
			return err
		}
	}
	s.fit = from.Fits
	s.link.watch.quit(s)
	deaf := s.listens(from)
	now := time.Now()
	if at := s.turn(); now.Before(at) {
		if deaf != "" {
			s.sayDeaf(from, deaf)
		}
		return triggers.Until(at)
	}
	s.hinted.Store(false)
	s.polled = now
	told := s.link.toldWhenHung(from)
	stamp, err := s.poll(ctx, from, emit)
	told()
	switch {
	case errors.As(err, &down):
		return s.wait(from, down)
	case err != nil:
		return err
	}
	s.pool.counters.polls.Add(1)
	if deaf == "" {
		from.Health(triggers.Active, "")
	} else {
		s.sayDeaf(from, deaf)
	}
	return s.rest(stamp, now, from.Wake)
}

// turn is when the next poll is due: soon when its channel has spoken, but no storm of
// that makes it poll oftener than anybody may.
func (s *source) turn() time.Time {
	if soon := s.polled.Add(fastest); s.hinted.Load() && soon.Before(s.due) {
		return soon
	}
	return s.due
}

func (s *source) sayDeaf(from triggers.From, why string) {
	from.Health(triggers.Degraded, fmt.Sprintf("does not hear channel %s and polls only: %s", s.listen, why))
}

// listens makes the source hear its channel, and says why it doesn't.
func (s *source) listens(from triggers.From) string {
	if s.listen == "" {
		return ""
	}
	return s.link.hear(s, ear{s.listen, from.Wake})
}

// wait says that the database is away, and until when it is left alone.
func (s *source) wait(from triggers.From, down *downError) error {
	state := triggers.Degraded
	if down.hung || time.Since(down.since) > overdue {
		state = triggers.Failing
	}
	from.Health(state, down.reason)
	s.due = down.retry.Add(stagger(s.seat, min(s.interval, time.Second)))
	return triggers.Until(s.due)
}

// rest waits for the next poll: where the engine tells that nothing has changed, for a
// change.
func (s *source) rest(stamp string, began time.Time, wake func()) error {
	now := time.Now()
	if stamp == "" || s.mode == modeLevel || !steady(s.clauses) {
		s.due = slot(s.seat, s.interval, now)
		return triggers.Until(s.due)
	}
	s.due = began.Add(s.interval)
	s.link.await(s, waiter{stamp: stamp, every: s.interval, wake: wake})
	return triggers.Until(now.Add(calm))
}

// poll looks once at the table and reports what it finds. It returns the stamp of the
// database as it was before.
func (s *source) poll(ctx context.Context, from triggers.From, emit triggers.Emit) (stamp string, err error) {
	if s.mode == modeLevel {
		return s.pollLevel(ctx, from.Cursor, emit)
	}
	for raw := from.Cursor; ; {
		b, err := s.next(ctx, raw)
		if err != nil {
			return "", err
		}
		if raw, err = json.Marshal(b.cursor); err != nil {
			return "", fmt.Errorf("write the cursor: %w", err)
		}
		if b.isNew || b.raised || len(b.events) > 0 {
			if err := emit(ctx, triggers.Batch{Cursor: raw, Events: b.events}); err != nil {
				return "", err
			}
			s.pool.counters.rows.Add(int64(len(b.events)))
		}
		if !b.more {
			return b.stamp, nil
		}
	}
}

// read is a stored cursor; one of another table than this is none.
func (s *source) read(raw json.RawMessage) (c cursor, isNew bool, err error) {
	scope := s.scope()
	if raw != nil {
		if err := json.Unmarshal(raw, &c); err != nil {
			return c, false, fmt.Errorf("read the cursor: %w", err)
		}
		if c.Scope == scope {
			return c, false, nil
		}
	}
	return cursor{Scope: scope}, true, nil
}

// Close lets the connection go.
func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != nil {
		s.link.watch.quit(s)
		s.link.channels.deafen(s)
		s.pool.leave(s.link)
		s.link = nil
	}
	return nil
}
