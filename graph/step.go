package graph

import (
	"encoding/json"
	"time"
)

// Step is everything that happens to one live dispatch at one moment; the store
// records it in one transaction, in the order of the fields. Every change names
// the state it leaves; if one does not hold, none is made and ErrStale comes back.
type Step struct {
	Dispatch  string
	Begin     time.Time  // not zero: the dispatch leaves pending with this step, its first
	Marked    bool       // with Begin: what is known is Dispatch.Marked
	Assets    []NewAsset // inserted unless known
	Ends      []AttemptEnd
	Electrons []ElectronChange
	Starts    []AttemptStart
	Waiting   *WaitingChange
	Finish    *DispatchEnd
}

// AttemptStart is a new attempt; it is recorded before it is started. Its
// electron goes pending → running with it.
type AttemptStart struct {
	Electron int
	Name     string
	ID       string
	N        int
	Executor string
	Handle   json.RawMessage // what the executor needs to find it again, may be nil
	Reuse    string          // why nothing was reused, when there was something to look at
	At       time.Time
}

// AttemptEnd moves an attempt from running or unknown to Status.
type AttemptEnd struct {
	Electron int
	N        int
	ID       string
	Status   Status // terminal, or Unknown (then it may end later), or Running again after Unknown
	ExitCode *int
	Signal   string
	Handle   json.RawMessage // nil leaves the stored one
	Error    *Error
	Usage    *Usage
	WorkDir  string
	Notes    []string
	Stdout   *Asset
	Stderr   *Asset
	At       time.Time
}

// ElectronChange moves an electron from one state to another: running → terminal,
// running → pending (a retry waits), pending → skipped, cancelled or failed (its
// expressions), pending → completed when it is reused, or pending → pending and
// running → running when only Waiting changes.
type ElectronChange struct {
	Electron int
	Name     string
	From, To Status
	Reason   string
	Waiting  *Waiting
	Result   *Asset
	Pickle   *Asset
	Error    *Error
	Files    map[string]Asset
	At       time.Time

	// Fingerprint is what the result of a completed electron depends on; nil: not known.
	Fingerprint json.RawMessage
	Reused      *Reused // with pending → completed
}

// Reused says where the result of an electron comes from that did not run.
type Reused struct {
	From   string // the dispatch whose attempt it was
	Why    string
	Stdout *Asset
	Stderr *Asset
}

// WaitingChange replaces why the dispatch waits; a nil Waiting clears it.
type WaitingChange struct {
	Reason  string
	Waiting *Waiting
}

// DispatchEnd moves the dispatch from running to its final state.
type DispatchEnd struct {
	Status Status
	Reason string
	Result json.RawMessage
	Error  *Error
	At     time.Time
}

// Run is a live dispatch with those of its electrons that have left the initial
// state, as recovery needs it.
type Run struct {
	Dispatch  Dispatch
	Electrons []Electron
}
