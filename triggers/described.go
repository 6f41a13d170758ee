package triggers

import (
	"encoding/json"

	"github.com/latticed/latticed/graph"
)

// Describer is implemented by sources that know more of their events once they have
// looked.
type Describer interface {
	Checker
	// Described is what the last Check has found: the fields of `event`, in more detail
	// than Made.Event (nil: it could not be seen), and what people should know.
	Described() (graph.Env, []graph.Warning)
}

// describe takes over what a check has found; the error is *graph.Invalid when an
// expression does not fit that.
func (p *plan) describe(raw json.RawMessage) error {
	d, ok := p.made.Source.(Describer)
	if !ok {
		return nil
	}
	event, warnings := d.Described()
	p.made.Warnings = append(p.made.Warnings[:len(p.made.Warnings):len(p.made.Warnings)], warnings...)
	return p.sees(raw, event)
}

// sees compiles the expressions of a spec once more, against what is known of events now.
func (s *spec) sees(raw json.RawMessage, event graph.Env) error {
	if event == nil {
		return nil
	}
	object, err := decodeObject(raw)
	if err != nil {
		return err
	}
	f := newFields(object)
	again := spec{made: Made{Event: event}, gate: s.gate}
	again.compile(f)
	return f.err()
}

// fits is From.Fits.
func (k *keeper) fits(event graph.Env) error {
	k.mu.Lock()
	s, raw := k.plan.spec, k.trigger.Spec
	k.mu.Unlock()
	return s.sees(raw, event)
}
