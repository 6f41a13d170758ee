package triggers

import (
	"errors"
	"time"
)

// Decide says what becomes of the undecided events, oldest first. It is pure as far
// as g.Render is. Events that stay as they are get no verdict.
//
// Events are judged one by one (condition, duplicate …) and what remains is cut into
// batches in order. A batch that is full, or has waited long enough, needs a slot and
// the leave of the rate; the policy says what becomes of it without:
//
//   - allow needs no slot;
//   - skip skips it when there is no slot;
//   - queue holds it, in order;
//   - queue_latest has one place to wait in: whoever waits there makes room for the next;
//   - replace has as many places as slots, for the newest, and asks what runs to end.
//
// What the rate does not allow yet is held, by skip too. Backfilled events have batches
// of their own, which queue behind all others.
func Decide(g Gate, pending []Pending, now Now) ([]Verdict, Rest) {
	d := decider{gate: g, pending: pending, now: now.Time, slots: g.Max - now.InFlight, seen: map[string]bool{}, fired: now.Fired}
	if g.Paused || g.Held {
		d.pause()
		return d.verdicts(), Rest{}
	}
	var live, filled batch
	for i := range pending {
		if !d.judge(i, &pending[i].Check) {
			continue
		}
		b, end := &live, d.place
		if pending[i].Check.Backfill {
			b, end = &filled, d.queue
		}
		if *b = append(*b, i); len(*b) >= g.Size {
			end(*b)
			*b = nil
		}
	}
	if d.due(live) {
		d.place(live)
	}
	if d.due(filled) {
		d.queue(filled)
	}
	d.settle(now.Ending)
	for _, b := range d.behind {
		d.fire(b)
	}
	return d.verdicts(), d.rest
}

// batch holds events by position, ascending.
type batch []int

type decider struct {
	gate    Gate
	pending []Pending
	now     time.Time
	slots   int
	fired   []time.Time // what counts for the rate
	spent   int         // and how many firings of now do
	seen    map[string]bool
	waiting []Verdict // of queue_latest and replace: for a slot or the rate
	behind  []batch   // backfilled
	rest    Rest

	ends   []Verdict
	cancel int
	groups []Verdict // skips and holds, each reason once
}

func (d *decider) pause() {
	reason := ReasonPaused
	if !d.gate.Paused {
		reason = ReasonRestored
	}
	for i := range d.pending {
		p := &d.pending[i]
		if p.State == EventHeld && p.Reason == ReasonLoop {
			continue // an edit has to find it so
		}
		if d.gate.SkipNew && p.State == EventPending && !p.Check.Backfill {
			d.skip(i, reason)
		} else {
			d.hold(i, reason)
		}
	}
}

// judge tells whether an event may join a batch.
func (d *decider) judge(i int, c *Check) bool {
	switch {
	case c.Dead != "":
		d.ends = append(d.ends, Verdict{Events: []int{i}, State: EventDead, Reason: c.Dead})
		return false
	case c.Reject != "":
		d.ends = append(d.ends, Verdict{Events: []int{i}, State: EventRejected, Reason: c.Reject})
		return false
	case c.Skip != "":
		d.skip(i, c.Skip)
		return false
	case c.Hold != "":
		d.hold(i, c.Hold)
		return false
	case c.Key == "":
		return true
	}
	if c.Seen || d.seen[c.Key] {
		d.skip(i, ReasonDuplicate)
		return false
	}
	d.seen[c.Key] = true
	return true
}

// due tells whether a batch that is not full goes all the same.
func (d *decider) due(b batch) bool {
	if len(b) == 0 {
		return false
	}
	due := d.pending[b[0]].At.Add(d.gate.Wait)
	if !d.now.Before(due) {
		return true
	}
	d.holdAll(b, ReasonBatch)
	d.wake(due)
	return false
}

// fire fires a batch, or holds it when there is no slot or the rate does not allow it.
func (d *decider) fire(b batch) {
	needsSlot := d.gate.Overlap != Allow || d.pending[b[0]].Check.Backfill
	switch {
	case needsSlot && d.slots <= 0:
		d.holdSlot(b, ReasonOverlap)
	case !d.allowed():
		d.holdRate(b)
	default:
		d.end(d.render(b))
	}
}

// render makes the verdict that fires a batch, or ends it because it can't be fired.
func (d *decider) render(b batch) Verdict {
	events := make([]Pending, len(b))
	for n, i := range b {
		events[n] = d.pending[i]
	}
	dispatches, err := d.gate.Render(events)
	var p *PanicError
	switch {
	case errors.As(err, &p):
		return Verdict{Events: b, State: EventDead, Reason: err.Error()}
	case err != nil:
		return Verdict{Events: b, State: EventRejected, Reason: err.Error()}
	}
	return Verdict{Events: b, State: EventFired, Reason: ReasonEvent, Dispatches: dispatches}
}

func (d *decider) end(v Verdict) {
	d.ends = append(d.ends, v)
	if v.State != EventFired {
		d.forget(v.Events)
		return
	}
	d.slots -= len(v.Dispatches)
	d.spend()
}

// forget lets later events with the same dedupe keys have their chance.
func (d *decider) forget(b batch) {
	for _, i := range b {
		if key := d.pending[i].Check.Key; key != "" {
			delete(d.seen, key)
		}
	}
}
