package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/latticed/latticed/triggers"
)

const (
	// idle is a wait without end: a delivery ends it.
	idle = 10 * 365 * 24 * time.Hour
	// maxBatch and maxBytes bound what is stored in one transaction.
	maxBatch = 256
	maxBytes = 8 << 20
	// maxQueue and maxQueued bound the deliveries that wait, and their bytes: who goes
	// away leaves his where it is.
	maxQueue  = 1024
	maxQueued = 64 << 20
)

// source is of one trigger.
type source struct {
	hub      *Hub
	name     string // of the trigger
	path     string // the secret one; empty: there is none
	sign     *signature
	tokens   bool
	idHeader string
	limit    *rate.Limiter

	trigger string // its id; set once, under Hub.mu, before anybody can find the source

	mu     sync.Mutex
	from   triggers.From // of the last run
	ready  bool          // it runs, or waits to be woken
	queue  []*waiting
	queued int // bytes of queue
}

// waiting is a delivery that is not stored yet.
type waiting struct {
	key     string
	repeats bool // the sender has an id for it: it may come again
	payload json.RawMessage
	done    chan result // one slot
}

type result struct {
	duplicate bool
	err       error
}

func (s *source) doors(trigger string) []door {
	doors := []door{nameDoor(s.name), nameDoor(trigger)}
	if s.path != "" {
		doors = append(doors, secretDoor(s.path))
	}
	return doors
}

// Run stores what was delivered, and waits for more.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if from.Cursor == nil {
		if err := emit(ctx, triggers.Batch{Cursor: json.RawMessage("{}")}); err != nil {
			return err
		}
	}
	if err := s.hub.enter(s, from.Trigger); err != nil {
		return err
	}
	s.takes(from)
	waits := false
	defer func() {
		if !waits {
			s.refuse(ErrAway) // a panic comes here, too
		}
	}()
	s.health(from)
	for {
		batch := s.next()
		if len(batch) == 0 {
			waits = true
			return triggers.Until(time.Now().Add(idle))
		}
		if err := s.store(ctx, from, batch, emit); err != nil {
			return err
		}
	}
}

// health says how the trigger is: it may not be able to verify anything.
func (s *source) health(from triggers.From) {
	if s.sign != nil {
		if _, err := s.sign.secret.read(); err != nil {
			from.Health(triggers.Degraded, "deliveries can't be verified: "+err.Error())
			return
		}
	}
	from.Health(triggers.Active, "")
}

// Close ends the taking of deliveries.
func (s *source) Close() error {
	s.refuse(ErrAway)
	s.hub.leave(s)
	return nil
}

// takes begins the taking of deliveries.
func (s *source) takes(from triggers.From) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.ready = from, true
}

// refuse ends it, and tells those who wait why.
func (s *source) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.queue {
		w.done <- result{err: err}
	}
	s.queue, s.queued, s.ready = nil, 0, false
}

// next takes what is to be stored in one transaction.
func (s *source) next() []*waiting {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < min(len(s.queue), maxBatch) && (n == 0 || bytes+len(s.queue[n].payload) <= maxBytes) {
		bytes += len(s.queue[n].payload)
		n++
	}
	batch := s.queue[:n:n]
	s.queued -= bytes
	if s.queue = s.queue[n:]; len(s.queue) == 0 {
		s.queue = nil
	}
	return batch
}

// store saves deliveries and tells those who wait for it.
func (s *source) store(ctx context.Context, from triggers.From, batch []*waiting, emit triggers.Emit) error {
	err := ErrAway // of a panic
	known := map[string]bool{}
	repeated := make([]bool, len(batch))
	defer func() {
		for i, w := range batch {
			w.done <- result{repeated[i], err}
		}
	}()
	var keys []string
	for _, w := range batch {
		if w.repeats {
			keys = append(keys, w.key)
		}
	}
	if len(keys) > 0 {
		found, e := from.Known(ctx, keys)
		if e != nil {
			return fmt.Errorf("look for known deliveries: %w", e)
		}
		for _, key := range found {
			known[key] = true
		}
	}
	events := make([]triggers.Event, 0, len(batch))
	for i, w := range batch {
		if repeated[i] = known[w.key]; !repeated[i] {
			events = append(events, triggers.Event{Key: w.key, Kind: "delivery", Payload: w.payload})
			known[w.key] = true
		}
	}
	if len(events) > 0 {
		if e := emit(ctx, triggers.Batch{Events: events}); e != nil {
			return e
		}
	}
	err = nil
	return nil
}

// accept waits until a delivery is stored, and tells whether it was before.
func (s *source) accept(ctx context.Context, w *waiting) (duplicate bool, err error) {
	s.mu.Lock()
	if !s.ready || len(s.queue) >= maxQueue || s.queued+len(w.payload) > maxQueued {
		s.mu.Unlock()
		return false, ErrAway
	}
	s.queue, s.queued = append(s.queue, w), s.queued+len(w.payload)
	wake := s.from.Wake
	s.mu.Unlock()
	wake()
	select {
	case r := <-w.done:
		return r.duplicate, r.err
	case <-ctx.Done(): // it is stored all the same
		return false, context.Cause(ctx)
	}
}

// knows tells whether there is an event with this key.
func (s *source) knows(ctx context.Context, key string) (bool, error) {
	s.mu.Lock()
	known := s.from.Known
	ready := s.ready
	s.mu.Unlock()
	if !ready {
		return false, ErrAway
	}
	found, err := known(ctx, []string{key})
	return len(found) > 0, err
}

// tell reports how the trigger is, from outside its run.
func (s *source) tell(state triggers.State, reason string) {
	s.mu.Lock()
	health := s.from.Health
	s.mu.Unlock()
	if health != nil {
		health(state, reason)
	}
}

var _ triggers.Occasioner = (*source)(nil)

// Occasion is a delivery that somebody makes by hand, without anything in it.
func (s *source) Occasion(at time.Time) (json.RawMessage, error) {
	return json.Marshal(map[string]any{
		"body": nil, "headers": map[string]any{}, "query": map[string]any{}, "id": nil, "path": nil,
		"time": at.UTC().Format(instant),
	})
}
