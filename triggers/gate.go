package triggers

import (
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
	// Replace asks what runs to end, whatever has started it, and holds the latest event
	// until it has ended.
	Replace Overlap = "replace"
)

// Reasons of events and firings.
const (
	ReasonPaused     = "paused"          // held, or skipped: the trigger is paused
	ReasonRestored   = "restored"        // held, or skipped: nobody has ended the hold after a restore
	ReasonBatch      = "batch"           // held: the batch is not full
	ReasonOverlap    = "overlap"         // held or skipped: enough dispatches run
	ReasonBacklog    = "backlog"         // held: older events are decided first
	ReasonRate       = "rate"            // held: as many have fired as the rate allows
	ReasonReplacing  = "replacing"       // held: what it replaces has not ended yet
	ReasonLoop       = "loop"            // held: the trigger seems to feed itself
	ReasonIncomplete = "incomplete"      // held: the deadline came before all the files
	ReasonTrouble    = "trouble"         // held: it could not be decided, and is tried again
	ReasonSuperseded = "superseded"      // skipped: a later event came while it waited, or was held for a loop
	ReasonCap        = "cap"             // skipped: more were missed than are caught up with
	ReasonCatchUp    = "catch_up"        // skipped: it was missed, and nothing is caught up with
	ReasonIgnored    = "ignored"         // skipped: the trigger leaves its file out by now
	ReasonCondition  = "condition"       // skipped: `when` was false
	ReasonWindow     = "window"          // skipped: it was noticed too late
	ReasonDuplicate  = "duplicate"       // skipped: fired before with this dedupe_key
	ReasonObserved   = "observed"        // skipped: the trigger only looks at what comes
	ReasonResumed    = "backlog_skipped" // skipped: resumed with backlog=skip
	ReasonManual     = "manual"          // fired by hand
	ReasonEvent      = "event"           // fired by a source
)

// Gate is the rule that decides about events.
type Gate struct {
	Paused  bool
	Held    bool          // as if paused, because of a restore
	SkipNew bool          // what comes during a pause is skipped, not held
	Size    int           // events per firing
	Wait    time.Duration // a smaller batch goes after this long
	Overlap Overlap
	Max     int // dispatches in flight, unless Overlap is allow
	Rate    Rate

	// Render makes the dispatch of a batch. An error rejects the batch; its text is
	// the reason. A *PanicError makes it dead. It is called only for batches that may
	// fire, or make others end.
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
	bad     error          // why it can't be
	checked bool
}

// decode reads the payload, once; nil when it is no object.
func (p *Pending) decode() map[string]any {
	if p.fields == nil {
		p.fields, p.bad = object(p.Payload)
	}
	return p.fields
}

// backfilled tells whether somebody asked for the event over what was there.
func (p *Pending) backfilled() bool {
	yes, _ := p.decode()["backfill"].(bool)
	return yes
}

// Check is what the kind, `when` and `dedupe_key` say about an event.
type Check struct {
	Reject string // they don't fit the event: the reason
	Skip   string // it is not to fire: the reason
	Hold   string // it is not to fire yet: the reason
	Dead   string // it can't be decided: why
	Key    string // the dedupe key, empty without
	Seen   bool   // an event with this key has fired
	// Backfill says that somebody asked for it over what was there: it waits for a
	// slot whatever Overlap says, and lets what happens now go first.
	Backfill bool
}

// Now is what Decide needs to know of the moment.
type Now struct {
	Time     time.Time
	InFlight int
	Ending   int         // of those in flight, how many were asked to end
	Fired    []time.Time // the latest firings, oldest first, as many as Gate.Rate needs
}

// Verdict is a decision about some of the pending events, by position, ascending; or,
// without events, that dispatches in flight are asked to end.
type Verdict struct {
	Events     []int
	State      EventState
	Reason     string
	Dispatches []graph.Dispatch // when fired
	Cancel     int              // ask so many to end
}

// Rest is what Decide leaves: when to decide again at the latest (zero: when
// something happens), whether there were fewer slots than batches, and whether
// anything waits for a dispatch to end.
type Rest struct {
	Wake  time.Time
	Full  bool
	Waits bool
}
