package triggers

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// keeper runs one revision of one trigger.
type keeper struct {
	id, kind, name string
	revision       int

	m *Manager

	doors []Door // guarded by Manager.mu

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // the source's goroutine and the gate's

	settled     chan struct{} // closed once the trigger has left preparing, or couldn't
	settledOnce sync.Once

	ended     atomic.Int32 // how many dispatches of this trigger have ended since inFlight was read
	afterRuns atomic.Bool  // the source wants to know of ends
	reset     atomic.Bool  // the wall clock was set since the gate has looked
	blocked   atomic.Int32 // how many ends the gate waits for; 0: it waits for none

	kick struct {
		sync.Mutex
		running, again, stopped bool
		timer                   *time.Timer // of the gate

		source sourceState
		hinted bool        // wake was called while the source ran
		next   *time.Timer // of the source
	}

	renewal sync.Once     // what happens when the ledger knows another revision
	backoff time.Duration // of the source; touched by its goroutine only

	filling atomic.Pointer[filling] // the backfill under way, if any

	shown   atomic.Pointer[shown]             // what people see, without waiting for mu
	secrets atomic.Pointer[map[string]string] // what they don't see; nil: not known yet

	// mu guards the gate and the health below it. It is held while the ledger works.
	mu        sync.Mutex
	trigger   Trigger
	plan      *plan
	paused    bool
	window    []Pending // the oldest undecided events, in order
	after     int64     // Seq up to which the window is known
	behind    bool      // the ledger may hold undecided events beyond it
	inFlight  int       // at most this many dispatches are in flight
	ending    int       // of those, how many were asked to end
	cancelled int       // dispatches that were asked to end, ever
	aside     aside     // undecided events that are not kept in memory
	strikes   strikes   // events that could not be decided
	plainly   bool      // the ledger refused a batch with what was decided about it
	unsure    bool      // the ledger refused what was decided last

	traced     bool        // the files of the latest firings are remembered
	overtakers []overtaker // what has fired since the gate has looked

	fired      []time.Time // the latest firings, as many as the rate has to know
	firedKnown bool

	cursor      json.RawMessage // as stored, once it is known
	cursorKnown bool

	vigil      vigil
	rejections int // how many of the last decisions were rejections, in a row

	health struct {
		state    State // of the source: preparing, active, degraded or failing
		reason   string
		rejects  string // that it only rejects lately, empty when it doesn't
		loops    string // that it seems to feed itself, empty when it doesn't
		gate     string // why the gate can't work, empty when it can
		unstored bool   // the ledger doesn't know yet
	}
}

// shown is how a trigger stands, for lists and metrics.
type shown struct {
	state  State
	reason string
	silent bool // no event came although one was expected
	held   int  // undecided events that are known
	loops  bool // it seems to feed itself

	waiting waiting // why they wait
}

// show publishes how the trigger stands. k.mu is held.
func (k *keeper) show() {
	var s shown
	s.state, s.reason = k.state()
	s.silent = k.vigil.reason != ""
	s.held = len(k.window) + k.aside.loops + k.aside.incomplete
	s.loops, s.waiting = k.health.loops != "", k.waiting()
	old := k.shown.Load()
	if old != nil && *old == s {
		return
	}
	k.shown.Store(&s)
	if old == nil || old.state != s.state || old.reason != s.reason {
		k.m.alarm(k, s.state, s.reason, old == nil)
	}
}

func newKeeper(m *Manager, t Trigger, p *plan) *keeper {
	k := &keeper{
		id: t.ID, kind: t.Kind, name: t.Name, revision: t.Revision,
		m: m, settled: make(chan struct{}),
		trigger: t, plan: p, paused: t.State == Paused, traced: m.traces.knows(t.ID),
	}
	p.trim()
	k.kick.source = sourceWaits // to be run
	k.ctx, k.cancel = context.WithCancel(m.ctx)
	if p != nil {
		k.promise(&p.made)
	}
	k.health.state, k.health.reason = t.State, t.Reason
	if t.State == Paused {
		k.health.state, k.health.reason = Preparing, ""
	}
	k.health.unstored = true // so that the first report is written down in any case
	k.forget()
	k.keepVigil()
	k.show()
	return k
}

// promise notes what others need to know of the kind without waiting for mu.
func (k *keeper) promise(made *Made) {
	k.afterRuns.Store(made.AfterRuns)
	k.secrets.Store(&made.Secrets)
	if made.Follows != nil {
		k.m.followers.add(k, made.Follows)
		if k.ctx.Err() != nil { // it was stopped meanwhile
			k.m.followers.remove(k)
		}
	}
}

// forget makes the gate read the ledger again before it decides anything.
func (k *keeper) forget() {
	k.cursor, k.cursorKnown = nil, false
	k.window, k.after, k.behind = nil, 0, true
	k.fired, k.firedKnown = nil, false
	k.aside = aside{}
	k.inFlight, k.ending = maxInFlight, 0
	k.ended.Add(1)
}

// doubt is forget after the ledger refused: what it has done may be known only to it,
// so the gate looks again soon.
func (k *keeper) doubt() {
	k.forget()
	k.decideIn(gateRetry)
}

// stop tells the source and the gate to end. The channel it returns is closed when
// both have.
func (k *keeper) stop() (gone <-chan struct{}) {
	k.cancel()
	k.kick.Lock()
	k.kick.stopped = true
	if k.kick.timer != nil {
		k.kick.timer.Stop()
	}
	if k.kick.next != nil {
		k.kick.next.Stop()
	}
	k.kick.Unlock()
	k.m.followers.remove(k)
	k.settledOnce.Do(func() { close(k.settled) })
	all := make(chan struct{})
	go func() {
		k.work.Wait()
		k.closeSource()
		close(all)
	}()
	return all
}

func (k *keeper) closeSource() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.restVigil()
	if k.plan == nil {
		return
	}
	if c, ok := k.plan.made.Source.(io.Closer); ok {
		if err := c.Close(); err != nil {
			k.m.opts.Log.Error().Str(keyTrigger, k.name).Err(err).Msg("source not closed")
		}
	}
}
