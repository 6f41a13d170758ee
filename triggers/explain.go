package triggers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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

const (
	// explainEvents is how many events about a path or its unit are listed.
	explainEvents = 50
	// explainMost is how many triggers are asked at once.
	explainMost = 500
	// explainLimit is how long all triggers together may take to answer.
	explainLimit = 20 * time.Second
)

// Explain says how a path stands with one trigger (by id or name), or, when trigger is
// empty, with those that cover it: the first ones, as ExplainPage gives them.
func (m *Manager) Explain(ctx context.Context, path, trigger string) ([]Explanation, error) {
	if trigger == "" {
		es, _, err := m.ExplainPage(ctx, path, "", explainMost)
		return es, err
	}
	path, err := absolute(path)
	if err != nil {
		return nil, err
	}
	k, err := m.keeper(ctx, trigger)
	if err != nil {
		return nil, err
	}
	e, err := m.explain(ctx, k, path)
	if err != nil {
		return nil, err
	}
	return []Explanation{e}, nil
}

func absolute(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", invalidField("path", graph.CodeBadPath, "must be absolute, such as /data/in/a.tif, not %s", show(path))
	}
	return filepath.Clean(path), nil
}

// ExplainPage says how a path stands with the triggers that cover it, in the order of
// their names: with up to limit of those after a name, and whether there are more.
// A trigger that does not answer in time, or can't tell, says so in its finding.
func (m *Manager) ExplainPage(ctx context.Context, path, after string, limit int) (es []Explanation, more bool, err error) {
	if path, err = absolute(path); err != nil {
		return nil, false, err
	}
	if err := m.running(ctx); err != nil {
		return nil, false, err
	}
	var covering []*keeper
	for _, k := range m.snapshot() {
		if k.name <= after {
			continue
		}
		if s, ok := k.explainer(); ok && s.Covers(path) {
			covering = append(covering, k)
		}
	}
	slices.SortFunc(covering, func(a, b *keeper) int { return strings.Compare(a.name, b.name) })
	if more = len(covering) > limit; more {
		covering = covering[:limit]
	}
	within, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	es = make([]Explanation, 0, len(covering))
	for _, k := range covering {
		e, err := m.explain(within, k, path)
		switch {
		case ctx.Err() != nil:
			return nil, false, context.Cause(ctx)
		case errors.Is(err, ErrNotFound): // removed meanwhile
			continue
		case within.Err() != nil:
			e.Finding = Finding{State: FindingUnseen, Detail: "there was no time left to look; ask for this trigger alone"}
			e.Trigger = Trigger{ID: k.id, Name: k.name, Kind: k.kind}
		case err != nil:
			return nil, false, err
		}
		es = append(es, e)
	}
	return es, more, nil
}

// explainer is the source of a trigger, if it watches paths. Of a trigger that can't
// run now, what its spec says is asked.
func (k *keeper) explainer() (Explainer, bool) {
	k.mu.Lock()
	p, raw := k.plan, k.trigger.Spec
	k.mu.Unlock()
	if p != nil {
		e, ok := p.made.Source.(Explainer)
		return e, ok
	}
	s, err := decodeSpec(raw, k.m.kinds)
	if err != nil {
		return nil, false
	}
	e, ok := s.made.Source.(Explainer)
	return e, ok
}

func (m *Manager) explain(ctx context.Context, k *keeper, path string) (Explanation, error) {
	t, err := m.ledger.Trigger(ctx, k.id)
	if err != nil {
		return Explanation{}, fmt.Errorf("read trigger %s: %w", k.name, err)
	}
	e := Explanation{Trigger: m.Live(t)}
	if e.Finding, err = m.find(ctx, k, path); err != nil {
		return Explanation{}, err
	}
	about := []string{path}
	if unit := e.Finding.Unit; unit != "" && unit != path {
		about = append(about, unit)
	}
	for _, path := range about {
		es, err := m.ledger.About(ctx, k.id, path, explainEvents)
		if err != nil {
			return Explanation{}, fmt.Errorf("read the events about %s: %w", path, err)
		}
		e.Events = append(e.Events, es...)
	}
	slices.SortStableFunc(e.Events, func(a, b Event) int { return cmp.Compare(b.Seq, a.Seq) })
	e.Events = slices.CompactFunc(e.Events, func(a, b Event) bool { return a.ID == b.ID })
	e.Events = e.Events[:min(len(e.Events), explainEvents)]
	return e, nil
}

// find asks the source about a path. What it can't tell is a finding too.
func (m *Manager) find(ctx context.Context, k *keeper, path string) (Finding, error) {
	s, ok := k.explainer()
	switch {
	case !ok:
		return Finding{State: FindingIgnored, Detail: "a trigger of kind " + k.kind + " watches no paths"}, nil
	case !s.Covers(path):
		return Finding{State: FindingIgnored, Detail: "the path is not inside what the trigger watches"}, nil
	}
	from, err := m.from(ctx, k.id)
	if err != nil {
		return Finding{}, fmt.Errorf("read where trigger %s stands: %w", k.name, err)
	}
	var found Finding
	err = m.ask(ctx, askLimit, func(ctx context.Context) error {
		f, err := s.Explain(ctx, from, path)
		found = f
		return err
	})
	var busy *ConflictError
	switch {
	case err == nil:
		return found, nil
	case ctx.Err() != nil, errors.As(err, &busy):
		return Finding{}, err
	}
	return Finding{State: FindingUnseen, Detail: "it can't be looked at: " + clip(err.Error())}, nil
}

// Advice says what the source of a trigger proposes from what it has seen, such as a
// settle time. What can't be read proposes nothing.
func (m *Manager) Advice(ctx context.Context, t Trigger) []graph.Warning {
	s, err := decodeSpec(t.Spec, m.kinds)
	if err != nil {
		return nil
	}
	a, ok := s.made.Source.(Adviser)
	if !ok {
		return nil
	}
	cursor, err := m.ledger.Cursor(ctx, t.ID)
	if err != nil {
		m.opts.Log.Error().Str(keyTrigger, t.Name).Err(err).Msg("cursor not read for advice")
		return nil
	}
	return a.Advice(cursor)
}
