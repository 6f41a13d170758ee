package triggers_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// model is what the documentation says a trigger does, as lists, with nothing kept
// back, looked up or restarted: whatever happens, all events are looked at again.
type model struct {
	now        time.Time
	gate       triggers.Gate
	events     []*modelEvent
	dispatches []*modelDispatch
	times      []time.Time     // of firings by the gate
	keys       map[string]bool // dedupe keys that have fired
	fired      []string        // the firings, each as its events
}

type modelEvent struct {
	triggers.Event
	n        int
	key      string // dedupe
	ok       bool   // when
	complete bool
	backfill bool
}

type modelDispatch struct{ running, asked, ended bool }

func newModel(skipPaused bool) *model {
	m := &model{keys: map[string]bool{}, now: time.Now()}
	m.gate = triggers.Gate{Size: 1, Overlap: triggers.Queue, Max: 4, SkipNew: skipPaused}
	m.gate.Render = func([]triggers.Pending) ([]graph.Dispatch, error) { return make([]graph.Dispatch, 1), nil }
	return m
}

func (e *modelEvent) undecided() bool {
	return e.State == triggers.EventPending || e.State == triggers.EventHeld
}

// pending is what there is to decide about.
func (m *model) pending() (open []*modelEvent, pending []triggers.Pending) {
	for _, e := range m.events {
		if !e.undecided() {
			continue
		}
		p := triggers.Pending{Event: e.Event, Check: triggers.Check{Backfill: e.backfill}}
		switch {
		case !e.complete:
			p.Check.Hold = "incomplete"
		case !e.ok:
			p.Check.Skip = "condition"
		case e.key == "":
			p.Check.Reject = "dedupe_key: must give a value"
		default:
			p.Check.Key, p.Check.Seen = e.key, m.keys[e.key]
		}
		open, pending = append(open, e), append(pending, p)
	}
	return open, pending
}

func (m *model) flights() triggers.Now {
	now := triggers.Now{Time: m.now, Fired: m.times}
	for _, d := range m.dispatches {
		if !d.ended {
			now.InFlight++
			if d.asked {
				now.Ending++
			}
		}
	}
	return now
}

// look decides, until nothing changes.
func (m *model) look() {
	for {
		open, pending := m.pending()
		n := decideNaively(m.gate, pending, m.flights())
		for i, e := range open {
			if o, said := n.out[i]; said {
				e.State, e.Reason = o.state, o.reason
			}
		}
		for _, batch := range n.fired {
			var names []string
			for _, i := range batch {
				names = append(names, fmt.Sprint(open[i].n))
				m.keys[open[i].key] = true
			}
			m.fired = append(m.fired, strings.Join(names, "+"))
			m.dispatches = append(m.dispatches, &modelDispatch{})
			m.times = append(m.times, m.now)
		}
		if m.cancel(n.cancel) == 0 {
			return
		}
	}
}

// cancel asks the oldest to end; what has not begun does so at once.
func (m *model) cancel(n int) (asked int) {
	for _, d := range m.dispatches {
		if asked < n && !d.ended && !d.asked {
			d.asked, d.ended = true, !d.running
			asked++
		}
	}
	return asked
}

// pass lets time go by, and looks when a batch has waited long enough or the rate
// allows more.
func (m *model) pass(d time.Duration) {
	until := m.now.Add(d)
	for {
		next := until
		earlier := func(at time.Time) {
			if at.After(m.now) && at.Before(next) {
				next = at
			}
		}
		for _, e := range m.events {
			if e.undecided() {
				earlier(e.At.Add(m.gate.Wait))
			}
		}
		for _, at := range m.times {
			earlier(at.Add(m.gate.Rate.Per))
		}
		m.now = next
		m.look()
		if !next.Before(until) {
			return
		}
	}
}

func (m *model) happen(es []modelEvent) {
	amends := slices.ContainsFunc(es, func(e modelEvent) bool { return e.Amends })
	for _, e := range es {
		i := slices.IndexFunc(m.events, func(old *modelEvent) bool { return old.n == e.n })
		switch {
		case i < 0:
			e.At, e.State = m.now, triggers.EventPending
			if amends { // nobody looks at it before it is stored
				e.State, e.Reason = triggers.EventHeld, triggers.ReasonBacklog
			}
			m.events = append(m.events, &e)
		case e.Amends && m.events[i].undecided():
			old := m.events[i]
			old.key, old.ok, old.complete, old.backfill = e.key, e.ok, e.complete, e.backfill
			old.State, old.Reason = triggers.EventHeld, triggers.ReasonBacklog
		}
	}
	m.look()
}

func (m *model) run(n int, f func(*modelDispatch) bool) (did int) {
	for _, d := range m.dispatches {
		if did < n && !d.ended && f(d) {
			did++
		}
	}
	return did
}

func (m *model) begin(n int) {
	m.run(n, func(d *modelDispatch) bool {
		was := d.running
		d.running = true
		return !was
	})
}

func (m *model) end(n int) {
	m.run(n, func(d *modelDispatch) bool {
		d.ended = true
		return true
	})
	m.look()
}

func (m *model) resume(backlog string) {
	if m.gate.Paused && backlog == "skip" {
		for _, e := range m.events {
			if e.undecided() {
				e.State, e.Reason = triggers.EventSkipped, "backlog_skipped"
			}
		}
	}
	m.gate.Paused = false
	m.look()
}

// states lists the events as world.states does.
func (m *model) states() string {
	out := make([]string, len(m.events))
	for i, e := range m.events {
		reason, _, _ := strings.Cut(e.Reason, ":")
		out[i] = fmt.Sprintf("%d:%s:%s", e.n, e.State, reason)
	}
	return strings.Join(out, " ")
}

// event is the event as a source emits it.
func (e *modelEvent) event() triggers.Event {
	payload := map[string]any{"path": fmt.Sprintf("/in/%d", e.n), "n": e.n, "ok": e.ok, "complete": e.complete, "backfill": e.backfill, "key": nil}
	if e.key != "" {
		payload["key"] = e.key
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return triggers.Event{Key: fmt.Sprintf("k%d", e.n), Kind: "made", Payload: raw, Amends: e.Amends}
}
