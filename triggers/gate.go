package triggers

import (
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
)

// Overlap says what becomes of an event while too many dispatches of its trigger run.
type Overlap string

// The policies.
const (
	Allow Overlap = "allow" // fire regardless
	Skip  Overlap = "skip"  // the event is skipped
	Queue Overlap = "queue" // the event is held until a dispatch has ended
	// QueueLatest holds the latest only; those that waited before it are skipped.
	QueueLatest Overlap = "queue_latest"
	// Replace asks what runs to end, and holds the latest event until it has ended.
	Replace Overlap = "replace"
)

// Reasons of events and firings.
const (
	ReasonPaused     = "paused"          // held, or skipped: the trigger is paused
	ReasonBatch      = "batch"           // held: the batch is not full
	ReasonOverlap    = "overlap"         // held or skipped: enough dispatches run
	ReasonBacklog    = "backlog"         // held: older events are decided first
	ReasonRate       = "rate"            // held: as many have fired as the rate allows
	ReasonReplacing  = "replacing"       // held: what it replaces has not ended yet
	ReasonLoop       = "loop"            // held: the trigger seems to feed itself
	ReasonIncomplete = "incomplete"      // held: the deadline came before all the files
	ReasonSuperseded = "superseded"      // skipped: a later event came while it waited
	ReasonCap        = "cap"             // skipped: more were missed than are caught up with
	ReasonCatchUp    = "catch_up"        // skipped: it was missed, and nothing is caught up with
	ReasonCondition  = "condition"       // skipped: `when` was false
	ReasonWindow     = "window"          // skipped: it was noticed too late
	ReasonDuplicate  = "duplicate"       // skipped: fired before with this dedupe_key
	ReasonResumed    = "backlog_skipped" // skipped: resumed with backlog=skip
	ReasonManual     = "manual"          // fired by hand
	ReasonEvent      = "event"           // fired by a source
)

// Gate is the rule that decides about events.
type Gate struct {
	Paused  bool
	Size    int           // events per firing
	Wait    time.Duration // a smaller batch goes after this long
	Overlap Overlap
	Max     int // dispatches in flight, unless Overlap is allow
	Rate    Rate

	// Render makes the dispatches for a batch. An error rejects the batch; its text
	// is the reason. It is called only for batches that may fire.
	Render func(batch []Pending) ([]graph.Dispatch, error)
}

// Rate allows so many firings in any stretch of so long; the zero value allows all.
type Rate struct {
	N   int
	Per time.Duration
}

// Pending is an undecided event with what its expressions say about it.
type Pending struct {
	Event
	Check Check

	fields  map[string]any // the payload, decoded
	checked bool
}

// Check is what the kind, `when` and `dedupe_key` say about an event.
type Check struct {
	Reject string // they don't fit the event: the reason
	Skip   string // it is not to fire: the reason
	Hold   string // it is not to fire yet: the reason
	Key    string // the dedupe key, empty without
	Seen   bool   // an event with this key has fired
}

// Now is what Decide needs to know of the moment.
type Now struct {
	Time     time.Time
	InFlight int
	Ending   int         // of those in flight, how many were asked to end
	Fired    []time.Time // the latest firings, oldest first, as many as Gate.Rate needs
}

// Verdict is a decision about some of the pending events, by position.
type Verdict struct {
	Events     []int
	State      EventState
	Reason     string
	Dispatches []graph.Dispatch // when fired
}

// Rest is what Decide leaves: when to decide again at the latest (zero: when
// something happens), and whether there were fewer slots than batches.
type Rest struct {
	Wake time.Time
	Full bool
}

// Decide says what becomes of the undecided events, oldest first. It is pure as far
// as g.Render is. Events that stay as they are get no verdict.
//
// Events are judged one by one (condition, duplicate), what remains is cut into
// batches in order, and batches fire in order while there are slots.
func Decide(g Gate, pending []Pending, now Now) ([]Verdict, Rest) {
	d := decider{gate: g, pending: pending, slots: g.Max - now.InFlight, seen: map[string]bool{}}
	if g.Paused {
		for i := range pending {
			d.hold(i, ReasonPaused)
		}
		return d.verdicts(), Rest{}
	}
	var rest Rest
	var batch []int
	for i := range pending {
		if !d.judge(i, &pending[i].Check) {
			continue
		}
		if batch = append(batch, i); len(batch) >= g.Size {
			d.end(batch)
			batch = batch[:0]
		}
	}
	if len(batch) > 0 {
		due := pending[batch[0]].At.Add(g.Wait)
		if now.Time.Before(due) {
			for _, i := range batch {
				d.hold(i, ReasonBatch)
			}
			rest.Wake = due
		} else {
			d.end(batch)
		}
	}
	rest.Full = d.full
	return d.verdicts(), rest
}

type decider struct {
	gate    Gate
	pending []Pending
	slots   int
	full    bool
	seen    map[string]bool // dedupe keys of batches that fire or wait
	ends    []Verdict
	held    map[string][]int
	skipped map[string][]int
}

// judge tells whether an event may join a batch.
func (d *decider) judge(i int, c *Check) bool {
	switch {
	case c.Reject != "":
		d.ends = append(d.ends, Verdict{Events: []int{i}, State: EventRejected, Reason: c.Reject})
		return false
	case c.Skip != "":
		d.skip(i, c.Skip)
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

// end fires a batch, or holds or skips it when there is no slot. It keeps no hold of
// the slice.
func (d *decider) end(batch []int) {
	if d.gate.Overlap != Allow && d.slots <= 0 {
		d.full = true
		for _, i := range batch {
			if d.gate.Overlap == Skip {
				d.forget(i)
				d.skip(i, ReasonOverlap)
			} else {
				d.hold(i, ReasonOverlap)
			}
		}
		return
	}
	batch = slices.Clone(batch)
	events := make([]Pending, len(batch))
	for n, i := range batch {
		events[n] = d.pending[i]
	}
	dispatches, err := d.gate.Render(events)
	if err != nil {
		for _, i := range batch {
			d.forget(i)
		}
		d.ends = append(d.ends, Verdict{Events: batch, State: EventRejected, Reason: err.Error()})
		return
	}
	d.slots -= len(dispatches)
	d.ends = append(d.ends, Verdict{Events: batch, State: EventFired, Reason: ReasonEvent, Dispatches: dispatches})
}

// forget lets a later event with the same dedupe key have its chance.
func (d *decider) forget(i int) {
	if key := d.pending[i].Check.Key; key != "" {
		delete(d.seen, key)
	}
}

func (d *decider) hold(i int, reason string) {
	if e := &d.pending[i]; e.State == EventHeld && e.Reason == reason {
		return
	}
	if d.held == nil {
		d.held = map[string][]int{}
	}
	d.held[reason] = append(d.held[reason], i)
}

func (d *decider) skip(i int, reason string) {
	if d.skipped == nil {
		d.skipped = map[string][]int{}
	}
	d.skipped[reason] = append(d.skipped[reason], i)
}

// verdicts joins what was decided: firings in order, then skips and holds, each
// reason once.
func (d *decider) verdicts() []Verdict {
	vs := d.ends
	for _, reason := range []string{ReasonWindow, ReasonCondition, ReasonDuplicate, ReasonOverlap} {
		if l := d.skipped[reason]; len(l) > 0 {
			vs = append(vs, Verdict{Events: l, State: EventSkipped, Reason: reason})
		}
	}
	for _, reason := range []string{ReasonPaused, ReasonBatch, ReasonOverlap} {
		if l := d.held[reason]; len(l) > 0 {
			vs = append(vs, Verdict{Events: l, State: EventHeld, Reason: reason})
		}
	}
	return vs
}
