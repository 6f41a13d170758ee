package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Options of a Manager.
type Options struct {
	Log   zerolog.Logger
	RunAs string // the Unix user dispatches run as

	// Cancelled is called after dispatches were asked to end; it must not block. nil:
	// nobody cares.
	Cancelled func(ids []string)
	// Alarm is called when a trigger has become failing, for whatever reason, when the
	// reason changes, and when that is over; at the start for each that is failing. It
	// must not block, nor call the manager. nil: nobody cares.
	Alarm func(Alarm)
	// ClockSet tells, until ctx ends, that the wall clock may have been set, so that the
	// manager looks at once and not after ten seconds: WatchClock. nil: nobody tells.
	ClockSet func(ctx context.Context) <-chan struct{}

	// Doors tells by what a stored trigger is found from outside, whether its source runs
	// or not; see Manager.Behind. nil: by nothing.
	Doors func(kind, id, name string, spec json.RawMessage) []Door

	// Restored says that the state directory comes from a backup: all triggers hold what
	// happens until Release.
	Restored bool

	// Baseline is how long Add and Patch wait for what is watched to answer, and then
	// for the baseline; default 5 s each.
	Baseline time.Duration
	// Stop is how long a source may take to end; default 5 s. One that hangs in a
	// system call, on a file server that is gone, is left behind: what it does when
	// it comes back is refused.
	Stop time.Duration
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
	traces traces

	started chan struct{}
	asks    chan struct{} // one for each question that a source has not answered
	beats   chan chan<- struct{}
	ctx     context.Context // of Run; set before started is closed

	// edit is held by whoever adds, changes, pauses or removes triggers.
	edit sync.Mutex

	held atomic.Bool // since a restore, until Release

	failing sync.Map // by trigger id: those that an alarm was given for

	ended     chan struct{} // one slot: some dispatch has
	ends      *ends
	followers followers

	work sync.WaitGroup // renewals, the look at the clock, and who tells of ends

	mu      sync.RWMutex
	keepers map[string]*keeper // by trigger id
	doors   map[Door]map[*keeper]bool
	closed  bool
}

// NewManager makes a manager; Run starts it.
func NewManager(l Ledger, kinds Kinds, o Options) *Manager {
	if o.Cancelled == nil {
		o.Cancelled = func([]string) {}
	}
	if o.Baseline == 0 {
		o.Baseline = 5 * time.Second
	}
	if o.Stop == 0 {
		o.Stop = 5 * time.Second
	}
	m := &Manager{ledger: l, kinds: kinds, opts: o, started: make(chan struct{}), ended: make(chan struct{}, 1), ends: newEnds(l, maxEnds), asks: make(chan struct{}, maxAsks), beats: make(chan chan<- struct{}), keepers: map[string]*keeper{}, doors: map[Door]map[*keeper]bool{}}
	m.held.Store(o.Restored)
	return m
}

// Run runs all triggers until ctx ends. It returns an error only when the triggers
// can't be read; sources that do not end are named in the log. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	all, err := m.ledger.Triggers(ctx)
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // told to stop before there was anything to run
	case err != nil:
		return fmt.Errorf("read triggers: %w", err)
	}
	m.ctx = ctx
	for _, t := range all {
		m.start(t, nil)
	}
	close(m.started)
	m.work.Go(func() { m.watchClock(ctx) })
	m.work.Go(func() { m.tellEnds(ctx) })
	m.answerBeats(ctx)
	m.mu.Lock()
	m.closed = true
	keepers := m.keepers
	m.keepers = nil
	m.mu.Unlock()
	gone := make(map[*keeper]<-chan struct{}, len(keepers))
	for _, k := range keepers {
		gone[k] = k.stop()
	}
	m.await(gone)
	m.work.Wait()
	return nil
}

// await waits for keepers that were told to stop, up to a limit for all of them.
func (m *Manager) await(gone map[*keeper]<-chan struct{}) {
	limit := time.NewTimer(m.opts.Stop)
	defer limit.Stop()
	late := false
	for k, done := range gone {
		if !late {
			select {
			case <-done:
				continue
			case <-limit.C:
				late = true
			}
		}
		select {
		case <-done:
		default:
			m.opts.Log.Warn().Str(keyTrigger, k.name).Dur(keyDur, m.opts.Stop).
				Msg("the source of this trigger does not end and is left behind: it hangs in a call to the system; is a file server gone?")
		}
	}
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
	m.openDoors(k)
	// What waited before this process was there may have nothing to wait for now.
	k.decideSoon()
	k.runNow()
	return k
}

// halt stops a trigger if it runs.
func (m *Manager) halt(id string) { m.shut(m.leave(id)) }

// replace runs a trigger instead of what runs of it so far; meanwhile it is known by the
// doors of that.
func (m *Manager) replace(t Trigger, p *plan) *keeper {
	old := m.leave(t.ID)
	defer m.shut(old)
	return m.start(t, p)
}

// leave stops a trigger if it runs, and returns what ran.
func (m *Manager) leave(id string) *keeper {
	m.mu.Lock()
	k := m.keepers[id]
	delete(m.keepers, id)
	m.mu.Unlock()
	if k != nil {
		m.await(map[*keeper]<-chan struct{}{k: k.stop()})
	}
	return k
}

// shut closes the doors of what ran, if anything did.
func (m *Manager) shut(k *keeper) {
	if k == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closeDoors(k)
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
	return nil, fmt.Errorf("trigger %q: %w", idOrName, ErrNotFound) // removed meanwhile
}

// DispatchEnded says that a dispatch has reached its end: one of a trigger, or, with an
// empty id, of nobody's. It never blocks.
func (m *Manager) DispatchEnded(triggerID string) {
	m.mu.RLock()
	k := m.keepers[triggerID]
	m.mu.RUnlock()
	if k != nil {
		k.dispatchEnded()
	}
	select {
	case m.ended <- struct{}{}:
	default: // whoever tells of it has not looked yet
	}
}

// Live fills in what only this process knows: the state, when the ledger can't be
// written, how far a backfill is, and what the oldest event is that the gate can move.
func (m *Manager) Live(t Trigger) Trigger {
	m.mu.RLock()
	k := m.keepers[t.ID]
	m.mu.RUnlock()
	if k == nil {
		return t
	}
	s := k.shown.Load()
	t.State, t.Reason = s.state, s.reason
	if s.waiting.stuck() > 0 {
		t.OldestAt = s.waiting.oldest
	}
	if f := k.filling.Load(); f != nil {
		n := f.sofar()
		t.Backfill = &n
	}
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
