package triggers

import (
	"strings"
	"sync"
	"time"
)

// Stats are the numbers of the manager since it started. They name no trigger: there
// may be many thousands.
type Stats struct {
	States  map[State]int            // triggers by state
	Events  map[string]int64         // events stored, by kind
	Decided map[Decided]int64        // events that left pending or changed why they wait
	Firings map[Decided]int64        // firings by decision and reason
	Held    int                      // undecided events that are known; more may be rows
	Waiting map[string]int           // of those, the held ones by reason
	Loops   int                      // triggers that seem to feed themselves
	Dead    int64                    // events that ended dead
	Silent  int                      // triggers without the events that expect_every waits for
	Lag     time.Duration            // age of the oldest undecided event known
	Kinds   map[string]map[State]int // triggers by kind and state
}

// Decided is a state with its reason code.
type Decided struct {
	State  EventState
	Reason string // the code, without a message
}

// tally counts. The zero value is ready.
type tally struct {
	mu      sync.Mutex
	events  map[string]int64
	decided map[Decided]int64
	firings map[Decided]int64
}

func (t *tally) event(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.events == nil {
		t.events = map[string]int64{}
	}
	t.events[kind]++
}

func (t *tally) verdict(v Verdict) {
	code, _, _ := strings.Cut(v.Reason, ":")
	d := Decided{v.State, code}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.decided == nil {
		t.decided, t.firings = map[Decided]int64{}, map[Decided]int64{}
	}
	t.decided[d] += int64(len(v.Events))
	if final(v.State) {
		t.firings[d]++
	}
}

// Stats returns the numbers of now.
func (m *Manager) Stats() Stats {
	s := Stats{States: map[State]int{}, Events: map[string]int64{}, Decided: map[Decided]int64{}, Firings: map[Decided]int64{}, Kinds: map[string]map[State]int{}, Waiting: map[string]int{}}
	m.tally.mu.Lock()
	for k, n := range m.tally.events {
		s.Events[k] = n
	}
	for k, n := range m.tally.decided {
		s.Decided[k] = n
		if k.State == EventDead {
			s.Dead += n
		}
	}
	for k, n := range m.tally.firings {
		s.Firings[k] = n
	}
	m.tally.mu.Unlock()
	for _, k := range m.snapshot() {
		now := k.shown.Load()
		s.Held += now.held
		for i, n := range now.waiting.by {
			if n > 0 {
				s.Waiting[waitReasons[i]] += n
			}
		}
		if !now.waiting.oldest.IsZero() {
			s.Lag = max(s.Lag, time.Since(now.waiting.oldest))
		}
		if now.loops {
			s.Loops++
		}
		s.States[now.state]++
		if now.silent {
			s.Silent++
		}
		if s.Kinds[k.kind] == nil {
			s.Kinds[k.kind] = map[State]int{}
		}
		s.Kinds[k.kind][now.state]++
	}
	return s
}
