package triggers

import (
	"encoding/json"
	"time"
)

// State is how a trigger is doing.
type State string

// The states of a trigger.
const (
	Preparing State = "preparing" // its baseline is not stored yet
	Active    State = "active"
	Degraded  State = "degraded" // works, but later or partly: see Reason
	Failing   State = "failing"  // does not work now and is tried again: see Reason
	Paused    State = "paused"   // events are recorded and held
)

// Trigger is a durable rule. An edit makes a new revision.
type Trigger struct {
	ID       string // UUIDv7
	Name     string
	Kind     string
	Revision int
	State    State
	Reason   string

	// Spec is the JSON object as submitted and merged by edits, without defaults.
	Spec json.RawMessage

	// Target, resolved at registration.
	DispatchID  string // redispatch this one; or
	LatticeID   string // dispatch this lattice; or
	LatticeName string // with LatticeID: how it was named; alone: NAME@latest

	Owner     string
	CreatedBy string
	RunAs     string
	CreatedAt time.Time
	UpdatedAt time.Time

	LastEventAt  time.Time
	LastFiringAt time.Time
	NextAt       time.Time // when the source next expects something, zero if unknown
	OldestAt     time.Time // of the oldest undecided event, zero if none
	Pending      int64     // events not decided

	Seq int64

	Backfill *Backfilled // the one under way, filled in by Manager.Live; nil: there is none
}

// EventState is where an event stands.
type EventState string

// The states of an event: pending → (held ↔ pending) → one of the final four.
const (
	EventPending  EventState = "pending"
	EventHeld     EventState = "held"
	EventFired    EventState = "fired"
	EventSkipped  EventState = "skipped"
	EventRejected EventState = "rejected"
	EventDead     EventState = "dead"
)

// Event is one observation, unique by trigger and key.
type Event struct {
	ID        string // UUIDv7
	TriggerID string
	Key       string
	Kind      string          // created, closed, ready, tick, manual …
	At        time.Time       // when it was stored, filled in by the manager
	Payload   json.RawMessage // the fields of `event` in expressions
	State     EventState
	Reason    string
	FiringID  string
	Seq       int64 // order of storing; FIFO follows it

	// Amends says that an undecided event with this key takes over this payload, and
	// is looked at again. It is set by sources and not stored.
	Amends bool
	// Generation counts how many dispatches of this trigger, one after the other, led
	// to this event: its file seems to have been made by one that an event of the
	// generation before has fired. It is the manager's.
	Generation int
}

// Firing is a final decision about events.
type Firing struct {
	ID          string // UUIDv7
	TriggerID   string
	Revision    int
	Decision    EventState // fired, skipped, rejected or dead
	Reason      string     // a code, with a message after ": " when rejected
	DispatchIDs []string
	EventIDs    []string
	Inputs      json.RawMessage // of the dispatch, nil when none
	At          time.Time
}

// Change is what a source learned about one entity of the inventory.
type Change struct {
	Key     []byte // the path, as bytes
	Version string
	Data    json.RawMessage // the source's own notes
	Deleted bool
}

// Batch is what a source emits: saved whole, in one transaction, or not at all.
// An event whose key is known already is dropped.
type Batch struct {
	Cursor   json.RawMessage // nil leaves the stored one
	Entities []Change
	Events   []Event   // ID, TriggerID, At and State are filled in by the manager
	Next     time.Time // becomes Trigger.NextAt; zero leaves the stored one
	NoNext   bool      // nobody knows when, or whether, more is to come: Trigger.NextAt becomes zero

	// Amended is an undecided event whose payload becomes this one's, found by ID; nil
	// when there is none. It is the manager's. An event decided by now is an error.
	Amended *Event
}
