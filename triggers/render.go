package triggers

import (
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"
	"github.com/latticed/latticed/graph"
)

// rejection says why events can't become a dispatch.
type rejection struct{ code, message string }

func (r *rejection) Error() string { return r.code + ": " + r.message }

// Codes of rejections.
const (
	rejectInputs  = "inputs"
	rejectLabels  = "labels"
	rejectWhen    = "when"
	rejectDedupe  = "dedupe_key"
	rejectPayload = "payload"
	rejectSweep   = "sweep"
)

// guarded is contained for what is said about events: a panic in it ends one event as
// dead, and not the daemon.
func guarded(f func() error) error { return contained(f) }

// check evaluates what the kind, `when` and `dedupe_key` say about one event.
func (p *plan) check(e *Pending) Check {
	fields := e.decode()
	if e.bad != nil {
		return Check{Reject: (&rejection{rejectPayload, e.bad.Error()}).Error()}
	}
	c := Check{Backfill: e.backfilled()}
	err := guarded(func() error {
		if p.made.Judge != nil {
			j := p.made.Judge(fields, e.At)
			if c.Backfill && j.Skip == ReasonWindow {
				j.Skip = "" // it is late because somebody asked for what is long ago
			}
			if c.Skip, c.Hold = j.Skip, j.Hold; c.Skip != "" || c.Hold != "" {
				return nil
			}
		}
		if err := p.evalCheck(map[string]any{"event": fields}, &c); err != nil || c.Skip != "" {
			return err
		}
		c.Skip, c.Hold = p.looped(&e.Event, fields)
		return nil
	})
	var panicked *PanicError
	switch {
	case errors.As(err, &panicked):
		return Check{Dead: clip(err.Error())}
	case err != nil:
		return Check{Reject: clip(err.Error())}
	}
	return c
}

func (p *plan) evalCheck(vars map[string]any, c *Check) error {
	if p.when != nil {
		v, err := p.when.Eval(vars)
		if err != nil {
			return &rejection{rejectWhen, err.Error()}
		}
		yes, ok := v.(bool)
		if !ok {
			return &rejection{rejectWhen, "must give true or false, not " + describe(v)}
		}
		if !yes {
			c.Skip = ReasonCondition
			return nil
		}
	}
	if p.dedupe == nil {
		return nil
	}
	v, err := p.dedupe.Eval(vars)
	if err != nil {
		return &rejection{rejectDedupe, err.Error()}
	}
	if v == nil {
		return &rejection{rejectDedupe, "must give a value, not null"}
	}
	if c.Key, err = text(v); err != nil {
		return &rejection{rejectDedupe, err.Error()}
	}
	if c.Key == "" {
		return &rejection{rejectDedupe, "must give a value, not an empty text"}
	}
	return nil
}

// text is a value as a label or key: text as it is, the rest as compact JSON.
func text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	b, err := graph.Canonical(v)
	return string(b), err
}

// render makes the dispatches of a batch of events: one, or those of a sweep.
func (p *plan) render(t *Trigger, batch []Pending) (ds []graph.Dispatch, err error) {
	err = guarded(func() error {
		ds, err = p.dispatchesOf(t, batch)
		return err
	})
	var panicked *PanicError
	switch {
	case errors.As(err, &panicked):
		return nil, err
	case err != nil:
		return nil, errors.New(clip(err.Error()))
	}
	return ds, nil
}

func (p *plan) dispatchesOf(t *Trigger, batch []Pending) ([]graph.Dispatch, error) {
	events := make([]any, len(batch))
	for i, e := range batch {
		events[i] = e.fields
	}
	vars := map[string]any{"events": events}
	if !p.batched {
		vars["event"] = events[0]
	}
	inputs := maps.Clone(p.inputs)
	if inputs == nil {
		inputs = map[string]any{}
	}
	for _, name := range p.names {
		v, err := p.spec.inputs[name].Eval(vars)
		if err != nil {
			return nil, &rejection{rejectInputs, name + ": " + err.Error()}
		}
		inputs[name] = v
	}
	labels, err := p.labelsOf(vars)
	if err != nil {
		return nil, err
	}
	one := graph.Dispatch{
		Status:    graph.Pending,
		LatticeID: p.lattice.ID, LatticeName: p.lattice.Name, Total: len(p.lattice.Electrons),
		Labels: labels,
		Owner:  t.Owner, CreatedBy: t.CreatedBy, RunAs: t.RunAs,
		TriggerID: t.ID, Trigger: t.Name,
	}
	if p.parent != nil {
		one.ParentID = p.parent.ID
	}
	if p.sweep != nil {
		return p.swept(one, vars, inputs)
	}
	bound, err := p.lattice.Bind(inputs)
	if err != nil {
		return nil, &rejection{rejectInputs, err.Error()}
	}
	if one.Inputs, err = graph.Canonical(bound); err != nil {
		return nil, &rejection{rejectInputs, err.Error()}
	}
	one, err = identified(one)
	return []graph.Dispatch{one}, err
}

// identified gives a dispatch an id of its own.
func identified(d graph.Dispatch) (graph.Dispatch, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return d, fmt.Errorf("make a dispatch id: %w", err)
	}
	d.ID = id.String()
	d.RootID = d.ID
	return d, nil
}

func (p *plan) labelsOf(vars map[string]any) (map[string]string, error) {
	if len(p.labels) == 0 {
		return nil, nil
	}
	labels := make(map[string]string, len(p.labels))
	for name, template := range p.labels {
		v, err := template.Eval(vars)
		if err == nil && v != nil {
			labels[name], err = text(v)
		}
		if err != nil {
			return nil, &rejection{rejectLabels, name + ": " + err.Error()}
		}
	}
	return labels, nil
}

// clip bounds a message that may quote a payload.
func clip(s string) string {
	const longest = 2000
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}
