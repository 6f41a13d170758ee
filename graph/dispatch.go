package graph

import (
	"encoding/json"
	"time"
)

// Dispatch is one run of one lattice with concrete inputs.
type Dispatch struct {
	ID     string // UUIDv7
	Number int64  // 1, 2, 3 …, given by the store

	LatticeID   string
	LatticeName string

	Status  Status
	Reason  string   // why it is where it is, a code such as "survivors"
	Waiting *Waiting // why it has not gone on, nil when nothing holds it

	// CancelRequestedAt is zero until somebody asked to cancel.
	CancelRequestedAt time.Time
	// Marked tells that somebody asked to cancel electrons of it before it began.
	Marked bool

	Inputs json.RawMessage // effective inputs, a JSON object
	Result json.RawMessage // nil unless completed
	Error  *Error          // nil unless failed or cancelled

	Labels map[string]string
	Note   string
	Keep   bool // never deleted by retention

	Owner     string
	CreatedBy string
	RunAs     string // the Unix user its local electrons run as

	ParentID  string // the dispatch it was redispatched from, or empty
	Reuse     bool   // results of electrons of the parent of which nothing has changed are taken over
	Sweep     int64  // the number of the first dispatch of those that share a limit; 0: it is alone
	Held      bool   // pending, and waits for another of its sweep to end
	RootID    string // itself
	TriggerID string // empty when no trigger fired it
	Trigger   string // the trigger's name, read only
	FiringID  string

	CreatedAt time.Time
	StartedAt time.Time
	EndedAt   time.Time

	// Total is the number of electrons of the lattice; Counts holds those that
	// have left pending, so Pending of Counts is Total minus the others.
	Total  int
	Counts Counts

	// First are attempts that start at once: who stores a pending dispatch with some stores
	// it as running, with their starts, in one transaction. Nobody reads them again.
	First []AttemptStart

	Seq int64 // grows with every change, over all objects of the store
}

// Counts says how many electrons of a dispatch are in each state.
type Counts struct {
	Pending   int `json:"pending"`
	Running   int `json:"running"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	Skipped   int `json:"skipped"`
}

// Waiting says why something has not gone on.
type Waiting struct {
	Code   string     `json:"code"` // slots, retry, executor, unknown, window …
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"`
	Detail string     `json:"detail"`
}

// Error says why a dispatch or an electron did not complete.
type Error struct {
	Code     string `json:"code"` // exit_code, timeout, output_missing, result_too_large, expression …
	Message  string `json:"message"`
	Electron string `json:"electron,omitempty"`
	Attempt  string `json:"attempt,omitempty"`
}

// Electron is one task of a dispatch as it stands now.
type Electron struct {
	Index      int // position in Lattice.Electrons
	Name       string
	Status     Status
	Reason     string // upstream, stopped, condition, cancelled …
	Waiting    *Waiting
	Executor   string
	Result     *Asset // the JSON value; nil when there is none
	Pickle     *Asset // the python object behind Result, when JSON could not hold it
	Error      *Error
	Files      map[string]Asset // kept outputs by name
	ReusedFrom string           // the dispatch whose attempt it was, or empty
	Reuse      string           // in a dispatch that reuses: why it was reused or run
	Stdout     *Asset           // of a reused one; others have those of their attempts
	Stderr     *Asset
	// CancelRequestedAt is zero until somebody asked to cancel this electron.
	CancelRequestedAt time.Time
	StartedAt         time.Time
	EndedAt           time.Time
	Attempts          []Attempt // oldest first
}

// Attempt is one try of one electron.
type Attempt struct {
	ID        string // UUIDv7
	N         int    // 1, 2, 3 … within the electron
	Status    Status
	ExitCode  *int   // nil when it did not exit by itself
	Signal    string // SIGKILL, SIGSEGV …; empty when none
	Handle    json.RawMessage
	Error     *Error
	StartedAt time.Time
	EndedAt   time.Time
	Usage     *Usage
	WorkDir   string // kept directory, empty once removed
	Notes     []string
	Stdout    *Asset
	Stderr    *Asset
}

// Usage is what an attempt took, its children included.
type Usage struct {
	CPU    float64 `json:"cpu_s"`         // seconds
	MaxRSS int64   `json:"max_rss_bytes"` // of the largest process; locally no less than the runner's own, some 20 MB
	Wall   float64 `json:"wall_s"`        // seconds
}

// Asset names stored bytes.
type Asset struct {
	SHA256 string `json:"sha256"` // lower-case hex
	Size   int64  `json:"size"`   // bytes
}

// NewAsset is an asset on its way into the store: small ones carry their bytes,
// large ones were staged as a file before.
type NewAsset struct {
	Asset
	Data []byte // nil when staged
}
