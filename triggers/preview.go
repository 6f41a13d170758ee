package triggers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/latticed/latticed/graph"
)

// Limits of what previews and explanations list; the rest is counted.
const (
	previewFiring = 20
	previewOthers = 100
)

// Preview says what a trigger would do; nothing of it is stored.
type Preview struct {
	Next      []time.Time // the next ten instants, of kinds that know them
	CatchUp   *CatchUp    // what would be caught up with, of kinds that do
	WouldFire []WouldFire // the first of what would fire now
	Settling  []Settling  // what is on its way
	Ignored   []Ignored   // what would not fire, and why
	Counts    PreviewCounts
	Warnings  []graph.Warning
}

// PreviewCounts says how many there are of what a preview lists the first of.
type PreviewCounts struct {
	WouldFire int `json:"would_fire"`
	Settling  int `json:"settling"`
	Ignored   int `json:"ignored"`
}

// CatchUp is what a trigger has missed and what it would do about it.
type CatchUp struct {
	Missed   int64     `json:"missed"`    // instants since then
	WouldRun int64     `json:"would_run"` // of them
	Since    time.Time `json:"since"`
}

// WouldFire is an event that would fire, with the inputs of its dispatch.
type WouldFire struct {
	Key    string          `json:"key"`
	Inputs json.RawMessage `json:"inputs"`
}

// Settling is something that may become an event.
type Settling struct {
	Key   string    `json:"key"`
	Until time.Time `json:"until"` // zero: nobody knows
	Why   string    `json:"why"`   // the rule that is not met yet
}

// Ignored is something that makes no event or would not fire.
type Ignored struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// Prober is implemented by sources that can say what they would report, without
// storing anything: of a trigger that exists (from holds its state) or of one that is
// only considered (from.Cursor is nil). Probe is called beside Run, from another
// goroutine, and returns when ctx ends even if what it looks at does not answer.
type Prober interface {
	Probe(ctx context.Context, from From) (Probed, error)
}

// Probed is what a source would report now. Lists hold the first ones, counts all.
type Probed struct {
	Next     []time.Time
	CatchUp  *CatchUp
	Events   []Event // Key, Kind and Payload
	Settling []Settling
	Ignored  []Ignored
	Counts   PreviewCounts
	Warnings []graph.Warning
}

// Preview is a dry run of Add, or of Put when the name exists.
func (m *Manager) Preview(ctx context.Context, spec []byte) (Preview, error) {
	return Preview{}, errUnwritten
}

// PreviewPatch is a dry run of Patch.
func (m *Manager) PreviewPatch(ctx context.Context, idOrName string, patch []byte) (Preview, error) {
	return Preview{}, errUnwritten
}

// Test says what a trigger would do now.
func (m *Manager) Test(ctx context.Context, idOrName string) (Preview, error) {
	return Preview{}, errUnwritten
}
