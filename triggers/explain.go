package triggers

import (
	"context"
	"time"

	"github.com/latticed/latticed/graph"
)

// Explainer is implemented by sources that watch paths.
type Explainer interface {
	// Covers tells, without any I/O, whether a path is inside what is watched.
	Covers(path string) bool
	// Explain says how a path stands. It is called beside Run, from another goroutine.
	Explain(ctx context.Context, from From, path string) (Finding, error)
}

// Finding is how a path stands with a source.
type Finding struct {
	State      string    `json:"state"`  // one of the words below
	Detail     string    `json:"detail"` // for people: the rule that applies, or is not met yet
	Unit       string    `json:"unit"`   // the folder or set that it is part of, if any
	FirstSeen  time.Time `json:"first_seen"`
	LastChange time.Time `json:"last_change"` // when it grew or changed last
	Until      time.Time `json:"until"`       // when the rule may be met; zero: nobody knows
}

// How a path may stand.
const (
	FindingAbsent   = "absent"   // it is not there, and was not seen
	FindingIgnored  = "ignored"  // a rule of the trigger leaves it out
	FindingExisting = "existing" // it was there before the trigger
	FindingSettling = "settling" // it is not quiet yet
	FindingWaiting  = "waiting"  // it is part of something that is not complete
	FindingReported = "reported" // it has made its event
	FindingUnseen   = "unseen"   // it was not looked at yet
)

// Explanation is how a path stands with one trigger.
type Explanation struct {
	Trigger Trigger
	Finding Finding
	Events  []Event // about the path or the unit it is part of, newest first
}

// Adviser is implemented by sources that learn from what they see.
type Adviser interface {
	// Advice reads what was learned from a stored cursor. It does no I/O.
	Advice(cursor []byte) []graph.Warning
}

// Explain says how a path stands with the triggers that cover it, or with one.
func (m *Manager) Explain(ctx context.Context, path, trigger string) ([]Explanation, error) {
	return nil, errUnwritten
}

// Advice says what a trigger's source proposes from what it has seen.
func (m *Manager) Advice(ctx context.Context, t Trigger) []graph.Warning { return nil }
