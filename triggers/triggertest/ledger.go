// Package triggertest holds what tests of triggers share: the suite that every kind
// has to pass, and a ledger in memory that can be told to fail.
//
// The ledger keeps the contract of triggers.Ledger as the store does, without its
// durability; it exists for tests that need a failure at a chosen moment.
package triggertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

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
	ends       []string // of dispatches, in order
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
