package store

import (
	"encoding/json"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// DispatchFilter selects dispatches; zero fields select all. Sublattices are hidden
// unless Root is set.
type DispatchFilter struct {
	Status    []graph.Status    // any of them
	Lattice   string            // id or name
	Trigger   string            // id or name
	Labels    map[string]string // all of them
	Owner     string
	Query     string            // part of the lattice's name, the note or a label; or the beginning of an id
	Inputs    map[string]string // effective inputs: text as it is, other values as compact JSON
	Parent    string            // id or number
	Root      string            // id or number
	Since     time.Time         // created at or after
	Until     time.Time         // created before
	Ascending bool              // oldest first
	Limit     int               // default 50, at most 500
	After     string            // cursor: next of the page before
}

// DispatchPatch changes what people may change; nil fields stay.
type DispatchPatch struct {
	Labels map[string]*string // merged; nil removes
	Note   *string
	Keep   *bool
}

// LatticeInfo describes a stored lattice.
type LatticeInfo struct {
	ID          string
	Name        string // of the document
	Description string
	Names       []string        // stored names that point at it
	Document    json.RawMessage // nil in lists
	Electrons   int
	Owner       string
	CreatedBy   string
	CreatedAt   time.Time
}

// LatticeFilter selects lattices.
type LatticeFilter struct {
	All   bool // also those no name points at
	Owner string
	Query string // part of the name
	Limit int
	After string
}

// TriggerFilter selects triggers that were not removed.
type TriggerFilter struct {
	Kind  string
	State []triggers.State
	Owner string
	Query string // part of the name
	Limit int
	After string
}

// Stored is what InsertLattice did.
type Stored struct {
	Lattice *graph.Lattice
	New     bool
}

// Kind says what a Change is about.
type Kind string

// The kinds of things that carry a sequence number.
const (
	KindDispatch Kind = "dispatch"
	KindTrigger  Kind = "trigger"
	KindEvent    Kind = "event"
	KindFiring   Kind = "firing"
)

// Change is a thing in its latest state; one of the pointers is set unless it was
// deleted.
type Change struct {
	Seq      int64
	Kind     Kind
	ID       string
	Deleted  bool
	Dispatch *graph.Dispatch
	Trigger  *triggers.Trigger
	Event    *triggers.Event
	Firing   *triggers.Firing
}
