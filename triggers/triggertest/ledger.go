// Package triggertest holds what tests of triggers share: the suite that every kind
// has to pass, and a ledger in memory that can be told to fail.
//
// The ledger keeps the contract of triggers.Ledger as the store does, without its
// durability; it exists for tests that need a failure at a chosen moment.
package triggertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// ErrFull is an error as a full disk gives it.
var ErrFull = errors.New("database or disk is full")

// Ledger is a triggers.Ledger in memory.
type Ledger struct {
	mu         sync.Mutex
	seq        int64
	triggers   map[string]*row
	dispatches []graph.Dispatch
	lattices   map[string]*graph.Lattice
	fail       func(op string) error
	after      func(op string) error
	records    int
}

type row struct {
	triggers.Trigger
	removed  bool
	cursor   json.RawMessage
	entities map[string]triggers.Change
	events   []*triggers.Event
	keys     map[string]bool
	deduped  map[string]bool
	firings  []triggers.Firing
	states   []string
}

var _ triggers.Ledger = (*Ledger)(nil)

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{triggers: map[string]*row{}, lattices: map[string]*graph.Lattice{}}
}

// Fail makes f decide before each operation (the name of the method) whether it
// fails; nil makes all work again.
func (l *Ledger) Fail(f func(op string) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = f
}

// FailAfter makes f decide after each operation whether its caller is told that it
// failed although it was done.
func (l *Ledger) FailAfter(f func(op string) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after = f
}

// begin locks and consults the failure. end unlocks.
func (l *Ledger) begin(op string) error {
	l.mu.Lock()
	if l.fail != nil {
		return l.fail(op)
	}
	return nil
}

func (l *Ledger) end(op string, err *error) {
	if *err == nil && l.after != nil {
		*err = l.after(op)
	}
	l.mu.Unlock()
}

func (l *Ledger) next() int64 {
	l.seq++
	return l.seq
}

func (l *Ledger) find(idOrName string) (*row, error) {
	if r := l.triggers[idOrName]; r != nil && !r.removed {
		return r, nil
	}
	for _, r := range l.triggers {
		if r.Name == idOrName && !r.removed {
			return r, nil
		}
	}
	return nil, fmt.Errorf("trigger %s: %w", idOrName, triggers.ErrNotFound)
}

// row finds a trigger by id, removed ones too.
func (l *Ledger) row(id string) (*row, error) {
	if r := l.triggers[id]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("trigger %s: %w", id, triggers.ErrNotFound)
}

// revised finds a trigger and checks the revision.
func (l *Ledger) revised(id string, revision int) (*row, error) {
	r := l.triggers[id]
	if r == nil || r.removed || r.Revision != revision {
		return nil, triggers.ErrRevised
	}
	return r, nil
}

func (r *row) trigger() triggers.Trigger {
	t := r.Trigger
	t.Pending, t.OldestAt = 0, time.Time{}
	for _, e := range r.events {
		if e.State == triggers.EventPending || e.State == triggers.EventHeld {
			if t.Pending == 0 {
				t.OldestAt = e.At
			}
			t.Pending++
		}
	}
	return t
}

// Triggers implements triggers.Ledger.
func (l *Ledger) Triggers(context.Context) (ts []triggers.Trigger, err error) {
	err = l.begin("Triggers")
	defer l.end("Triggers", &err)
	if err != nil {
		return nil, err
	}
	for _, r := range l.triggers {
		if !r.removed {
			ts = append(ts, r.trigger())
		}
	}
	return ts, nil
}

// Trigger implements triggers.Ledger.
func (l *Ledger) Trigger(_ context.Context, idOrName string) (t triggers.Trigger, err error) {
	err = l.begin("Trigger")
	defer l.end("Trigger", &err)
	if err != nil {
		return t, err
	}
	r, err := l.find(idOrName)
	if err != nil {
		return t, err
	}
	return r.trigger(), nil
}

// CreateTrigger implements triggers.Ledger.
func (l *Ledger) CreateTrigger(_ context.Context, t triggers.Trigger) (_ triggers.Trigger, err error) {
	err = l.begin("CreateTrigger")
	defer l.end("CreateTrigger", &err)
	if err != nil {
		return t, err
	}
	if _, err := l.find(t.Name); err == nil {
		return t, &triggers.ConflictError{Code: "name_taken", Message: "the name " + t.Name + " is taken"}
	}
	t.Revision, t.State, t.Seq = 1, triggers.Preparing, l.next()
	l.triggers[t.ID] = &row{Trigger: t, entities: map[string]triggers.Change{}, keys: map[string]bool{}, deduped: map[string]bool{}}
	return t, nil
}

// ReviseTrigger implements triggers.Ledger.
func (l *Ledger) ReviseTrigger(_ context.Context, t triggers.Trigger) (_ triggers.Trigger, err error) {
	err = l.begin("ReviseTrigger")
	defer l.end("ReviseTrigger", &err)
	if err != nil {
		return t, err
	}
	r, err := l.revised(t.ID, t.Revision)
	if err != nil {
		return t, err
	}
	t.Revision, t.Seq, t.State, t.Reason = t.Revision+1, l.next(), r.State, r.Reason
	r.Trigger = t
	return t, nil
}

// RemoveTrigger implements triggers.Ledger.
func (l *Ledger) RemoveTrigger(_ context.Context, id string) (err error) {
	err = l.begin("RemoveTrigger")
	defer l.end("RemoveTrigger", &err)
	if err != nil {
		return err
	}
	r, err := l.find(id)
	if err != nil {
		return err
	}
	r.removed = true
	for _, e := range r.events {
		if e.State == triggers.EventPending || e.State == triggers.EventHeld {
			e.State, e.Reason = triggers.EventSkipped, "trigger_removed"
		}
	}
	return nil
}

// SetTriggerState implements triggers.Ledger.
func (l *Ledger) SetTriggerState(_ context.Context, id string, s triggers.State, reason string, next time.Time) (err error) {
	err = l.begin("SetTriggerState")
	defer l.end("SetTriggerState", &err)
	if err != nil {
		return err
	}
	r, err := l.find(id)
	if err != nil {
		return err
	}
	r.State, r.Reason = s, reason
	if !next.IsZero() {
		r.NextAt = next
	}
	r.states = append(r.states, string(s)+" "+reason)
	return nil
}

// Cursor implements triggers.Ledger.
func (l *Ledger) Cursor(_ context.Context, id string) (_ json.RawMessage, err error) {
	err = l.begin("Cursor")
	defer l.end("Cursor", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.find(id)
	if err != nil {
		return nil, err
	}
	return r.cursor, nil
}

// Entities implements triggers.Ledger.
func (l *Ledger) Entities(_ context.Context, id string, f func(triggers.Change) error) (err error) {
	err = l.begin("Entities")
	var all []triggers.Change
	if r := l.triggers[id]; err == nil && r != nil {
		for _, c := range r.entities {
			all = append(all, c)
		}
	}
	l.end("Entities", &err)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b triggers.Change) int { return bytes.Compare(a.Key, b.Key) })
	for _, c := range all {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// Window implements triggers.Ledger.
func (l *Ledger) Window(_ context.Context, id string, after int64, limit int) (es []triggers.Event, err error) {
	err = l.begin("Window")
	defer l.end("Window", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, e := range r.events {
		if len(es) < limit && e.Seq > after && (e.State == triggers.EventPending || e.State == triggers.EventHeld) {
			es = append(es, *e)
		}
	}
	return es, nil
}

// Counts implements triggers.Ledger.
func (l *Ledger) Counts(_ context.Context, id string) (c triggers.Counts, err error) {
	err = l.begin("Counts")
	defer l.end("Counts", &err)
	if err != nil {
		return c, err
	}
	r, err := l.row(id)
	if err != nil {
		return c, err
	}
	c.Pending = r.trigger().Pending
	for _, d := range l.dispatches {
		if d.TriggerID == id && !d.Status.Terminal() {
			c.InFlight++
		}
	}
	return c, nil
}

// Fired implements triggers.Ledger.
func (l *Ledger) Fired(_ context.Context, id string, keys []string) (fired []string, err error) {
	err = l.begin("Fired")
	defer l.end("Fired", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if r.deduped[key] {
			fired = append(fired, key)
		}
	}
	return fired, nil
}

// Dispatch implements triggers.Ledger.
func (l *Ledger) Dispatch(_ context.Context, idOrNumber string) (d graph.Dispatch, err error) {
	err = l.begin("Dispatch")
	defer l.end("Dispatch", &err)
	if err != nil {
		return d, err
	}
	for _, d := range l.dispatches {
		if d.ID == idOrNumber || strconv.FormatInt(d.Number, 10) == idOrNumber {
			return d, nil
		}
	}
	return d, fmt.Errorf("dispatch %s: %w", idOrNumber, triggers.ErrNotFound)
}

// Lattice implements triggers.Ledger.
func (l *Ledger) Lattice(_ context.Context, idOrName string) (lattice *graph.Lattice, err error) {
	err = l.begin("Lattice")
	defer l.end("Lattice", &err)
	if err != nil {
		return nil, err
	}
	if lattice := l.lattices[idOrName]; lattice != nil {
		return lattice, nil
	}
	return nil, fmt.Errorf("lattice %s: %w", idOrName, triggers.ErrNotFound)
}
