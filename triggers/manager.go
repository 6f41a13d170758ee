package triggers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Options of a Manager.
type Options struct {
	Wake  func() // called after dispatches were inserted; must not block; nil: nobody cares
	Log   zerolog.Logger
	RunAs string // the Unix user dispatches run as

	// Baseline is how long Add and Patch wait for the baseline; default 5 s.
	Baseline time.Duration
}

// Principal is who asks for something.
type Principal struct{ Name string }

// ErrStopped means that the manager does not run.
var ErrStopped = errors.New("the trigger manager does not run")

// Manager runs the triggers.
type Manager struct {
	ledger Ledger
	kinds  Kinds
	opts   Options
	tally  tally

	started chan struct{}
	ctx     context.Context // of Run; set before started is closed

	// edit is held by whoever adds, changes or removes triggers.
	edit sync.Mutex

	mu      sync.RWMutex
	keepers map[string]*keeper // by trigger id
	closed  bool
}

// NewManager makes a manager; Run starts it.
func NewManager(l Ledger, kinds Kinds, o Options) *Manager {
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Baseline == 0 {
		o.Baseline = 5 * time.Second
	}
	return &Manager{ledger: l, kinds: kinds, opts: o, started: make(chan struct{}), keepers: map[string]*keeper{}}
}

// Run runs all triggers until ctx ends. It returns an error only when the triggers
// can't be read. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	all, err := m.ledger.Triggers(ctx)
	if err != nil {
		return fmt.Errorf("read triggers: %w", err)
	}
	m.ctx = ctx
	for _, t := range all {
		m.start(t, nil)
	}
	close(m.started)
	<-ctx.Done()
	m.mu.Lock()
	m.closed = true
	keepers := m.keepers
	m.keepers = nil
	m.mu.Unlock()
	for _, k := range keepers {
		k.cancel()
	}
	for _, k := range keepers {
		k.stop()
	}
	return nil
}

// start runs a trigger; without a plan it makes its own. It returns nil when the
// manager is stopping.
func (m *Manager) start(t Trigger, p *plan) *keeper {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	k := newKeeper(m, t, p)
	m.keepers[t.ID] = k
	// What waited before this process was there may have nothing to wait for now.
	k.decideSoon()
	k.work.Go(k.run)
	return k
}

// halt stops a trigger if it runs.
func (m *Manager) halt(id string) {
	m.mu.Lock()
	k := m.keepers[id]
	delete(m.keepers, id)
	m.mu.Unlock()
	if k != nil {
		k.stop()
	}
}

// running waits until Run has started the triggers.
func (m *Manager) running(ctx context.Context) error {
	select {
	case <-m.started:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if m.ctx.Err() != nil {
		return ErrStopped
	}
	return nil
}

// keeper finds a running trigger by id or name.
func (m *Manager) keeper(ctx context.Context, idOrName string) (*keeper, error) {
	if err := m.running(ctx); err != nil {
		return nil, err
	}
	t, err := m.ledger.Trigger(ctx, idOrName)
	if err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if k := m.keepers[t.ID]; k != nil {
		return k, nil
	}
	if m.closed {
		return nil, ErrStopped
	}
	return nil, ErrNotFound // removed meanwhile
}

// DispatchEnded says that a dispatch of a trigger has reached its end. It never
// blocks.
func (m *Manager) DispatchEnded(triggerID string) {
	m.mu.RLock()
	k := m.keepers[triggerID]
	m.mu.RUnlock()
	if k != nil {
		k.dispatchEnded()
	}
}

// Live fills in the state as this process knows it, which the ledger may not when it
// can't be written.
func (m *Manager) Live(t Trigger) Trigger {
	m.mu.RLock()
	k := m.keepers[t.ID]
	m.mu.RUnlock()
	if k == nil {
		return t
	}
	s := k.shown.Load()
	t.State, t.Reason = s.state, s.reason
	return t
}

// snapshot returns the running keepers in no order.
func (m *Manager) snapshot() []*keeper {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ks := make([]*keeper, 0, len(m.keepers))
	for _, k := range m.keepers {
		ks = append(ks, k)
	}
	return slices.Clip(ks)
}
