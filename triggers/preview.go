package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	Change    PutResult   // what would become of the trigger
	AsIfNew   bool        // as in Probed
	Timezone  string      // as in Probed
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
	Key        string          `json:"key"`
	Inputs     json.RawMessage `json:"inputs"`
	Dispatches int             `json:"dispatches"` // of a sweep, of which these are the inputs of the first; 0: one
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
	// AsIfNew says that what is listed won't come to pass: it is there already, which
	// the trigger ignores, and listed as if it came now.
	AsIfNew  bool
	Timezone string // in which people think of Next; empty: in none
	Next     []time.Time
	CatchUp  *CatchUp
	Events   []Event // Key, Kind and Payload
	Settling []Settling
	Ignored  []Ignored
	Counts   PreviewCounts
	Warnings []graph.Warning
}

// Preview is a dry run of Add, or of Put when a trigger of that name exists: it refuses
// what they refuse, and stores nothing. What the source looks at is asked for a limited
// time; if there is no answer a warning says so.
func (m *Manager) Preview(ctx context.Context, spec []byte) (Preview, error) {
	if err := m.running(ctx); err != nil {
		return Preview{}, err
	}
	object, err := decodeObject(spec)
	if err != nil {
		return Preview{}, err
	}
	var d *draft
	if name, _ := object["name"].(string); name != "" {
		d, err = m.draftPut(ctx, name, spec, Principal{})
	} else {
		d, err = m.draftNew(ctx, spec, Principal{})
	}
	if err != nil {
		return Preview{}, err
	}
	return m.preview(ctx, d)
}

// PreviewPut is a dry run of Put.
func (m *Manager) PreviewPut(ctx context.Context, name string, spec []byte) (Preview, error) {
	if err := m.running(ctx); err != nil {
		return Preview{}, err
	}
	d, err := m.draftPut(ctx, name, spec, Principal{})
	if err != nil {
		return Preview{}, err
	}
	return m.preview(ctx, d)
}

// PreviewPatch is a dry run of Patch.
func (m *Manager) PreviewPatch(ctx context.Context, idOrName string, patch []byte) (Preview, error) {
	if err := m.running(ctx); err != nil {
		return Preview{}, err
	}
	d, err := m.draftPatch(ctx, idOrName, patch)
	if err != nil {
		return Preview{}, err
	}
	d.same = false // a patch makes a revision, whatever it says
	return m.preview(ctx, d)
}

// Test says what a trigger would do now, as it is. Nothing is stored.
func (m *Manager) Test(ctx context.Context, idOrName string) (Preview, error) {
	if err := m.running(ctx); err != nil {
		return Preview{}, err
	}
	d, err := m.draftPatch(ctx, idOrName, []byte("{}"))
	if err != nil {
		return Preview{}, err
	}
	return m.preview(ctx, d)
}

// preview asks the source of a draft, which is its own and was never run.
func (m *Manager) preview(ctx context.Context, d *draft) (Preview, error) {
	pv := Preview{Change: d.change(), Warnings: m.warnings(d)}
	prober, ok := d.plan.made.Source.(Prober)
	if !ok {
		return pv, nil
	}
	from := fromNothing()
	if d.old != nil {
		var err error
		if from, err = m.from(ctx, d.old.ID); err != nil {
			return Preview{}, fmt.Errorf("read where trigger %s stands: %w", d.old.Name, err)
		}
	}
	var probed Probed
	err := m.ask(ctx, askLimit, func(ctx context.Context) error {
		defer release(d.plan.made.Source)
		p, err := prober.Probe(ctx, from)
		probed = p
		return err
	})
	var invalid *graph.Invalid
	var busy *ConflictError
	switch {
	case err == nil:
	case errors.Is(err, errNoAnswer):
		pv.Warnings = append(pv.Warnings, graph.Warning{Code: warnNoAnswer, Message: "what would fire can't be said: " + err.Error()})
		return pv, nil
	case ctx.Err() != nil, errors.As(err, &invalid), errors.As(err, &busy):
		return Preview{}, err
	default:
		pv.Warnings = append(pv.Warnings, graph.Warning{Code: warnUnreadable, Message: "what would fire can't be said: " + clip(err.Error())})
		return pv, nil
	}
	pv.AsIfNew, pv.Timezone, pv.Next, pv.CatchUp, pv.Counts = probed.AsIfNew, probed.Timezone, probed.Next, probed.CatchUp, probed.Counts
	pv.Counts.WouldFire = max(pv.Counts.WouldFire, len(probed.Events))
	pv.Settling, pv.Ignored = firstOf(probed.Settling), firstOf(probed.Ignored)
	for _, w := range probed.Warnings {
		if !slices.Contains(pv.Warnings, w) { // said by the check, too
			pv.Warnings = append(pv.Warnings, w)
		}
	}
	return pv, m.judge(ctx, d, probed.Events, &pv)
}

// warnings are those of the plan, and why nothing may fire although it would.
func (m *Manager) warnings(d *draft) []graph.Warning {
	ws := d.plan.warnings()
	if d.old == nil {
		return ws
	}
	switch now := m.Live(*d.old); now.State {
	case Paused:
		ws = append(ws, graph.Warning{Code: warnPaused, Message: "the trigger is paused: what happens is held until it is resumed"})
	case Failing:
		ws = append(ws, graph.Warning{Code: warnFailing, Message: "the trigger is failing: " + now.Reason})
	case Preparing, Active, Degraded:
	}
	return ws
}

func firstOf[T any](list []T) []T { return list[:min(len(list), previewOthers)] }
