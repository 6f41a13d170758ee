package triggers

import (
	"context"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
)

// sifter puts what a source would report through the checks of the gate.
type sifter struct {
	draft *draft
	pv    *Preview
	fired map[string]bool // dedupe keys, of the past and of this preview
	batch []Pending
	wrong string // why the first event would be rejected
	bad   int    // how many would
}

// judge says which of the events would fire, and with which inputs. The counts that
// the source gave are corrected by what the listed events turn out to be: the rest is
// not known here.
func (m *Manager) judge(ctx context.Context, d *draft, events []Event, pv *Preview) error {
	pending := make([]Pending, len(events))
	var keys, dedupe []string
	for i, e := range events {
		e.TriggerID, e.At, e.State = d.next.ID, time.Now(), EventPending
		p := Pending{Event: e}
		p.Check = d.plan.check(&p)
		pending[i] = p
		keys = append(keys, e.Key)
		if p.Check.Key != "" {
			dedupe = append(dedupe, p.Check.Key)
		}
	}
	s := sifter{draft: d, pv: pv, fired: map[string]bool{}}
	known, err := m.past(ctx, d, keys, dedupe, s.fired)
	if err != nil {
		return err
	}
	for i := range pending {
		if known[pending[i].Key] {
			s.ignore(&pending[i], "it was an event before")
		} else {
			s.sift(&pending[i])
		}
	}
	s.rest()
	if s.bad > 0 {
		pv.Warnings = append(pv.Warnings, graph.Warning{Code: warnRejected, Message: fmt.Sprintf("%d of the events would be rejected, the first one for %s", s.bad, s.wrong)})
	}
	return nil
}

// past reads what a stored trigger has seen: which of the keys, and which of the
// dedupe keys it has fired.
func (m *Manager) past(ctx context.Context, d *draft, keys, dedupe []string, fired map[string]bool) (known map[string]bool, err error) {
	known = map[string]bool{}
	if d.old == nil || len(keys) == 0 {
		return known, nil
	}
	found, err := m.ledger.Known(ctx, d.old.ID, keys)
	if err != nil {
		return nil, fmt.Errorf("look up the events of trigger %s: %w", d.old.Name, err)
	}
	for _, key := range found {
		known[key] = true
	}
	if len(dedupe) == 0 {
		return known, nil
	}
	if found, err = m.ledger.Fired(ctx, d.old.ID, dedupe); err != nil {
		return nil, fmt.Errorf("look up the dedupe keys of trigger %s: %w", d.old.Name, err)
	}
	for _, key := range found {
		fired[key] = true
	}
	return known, nil
}

// sift judges one event as the gate would.
func (s *sifter) sift(p *Pending) {
	c := &p.Check
	switch {
	case c.Reject != "":
		s.reject(p, c.Reject)
	case c.Dead != "":
		s.reject(p, c.Dead)
	case c.Skip != "":
		s.ignore(p, c.Skip)
	case c.Hold != "":
		s.pv.Counts.WouldFire--
		s.settle(p.Key, time.Time{}, "held: "+c.Hold)
	case c.Key != "" && s.fired[c.Key]:
		s.ignore(p, ReasonDuplicate)
	default:
		if c.Key != "" {
			s.fired[c.Key] = true
		}
		if s.batch = append(s.batch, *p); len(s.batch) >= s.draft.plan.gate.Size {
			s.fire()
		}
	}
}

// fire shows the dispatch that the batch would get; after the first ones it is only
// counted.
func (s *sifter) fire() {
	batch := s.batch
	s.batch = nil
	if len(s.pv.WouldFire) >= previewFiring {
		return
	}
	ds, err := s.draft.plan.render(&s.draft.next, batch)
	if err != nil {
		for i := range batch {
			s.reject(&batch[i], err.Error())
			delete(s.fired, batch[i].Check.Key) // another one with this key has its chance
		}
		return
	}
	key := batch[0].Key
	if n := len(batch) - 1; n > 0 {
		key = fmt.Sprintf("%s and %d more", key, n)
	}
	w := WouldFire{Key: key, Inputs: ds[0].Inputs}
	if s.draft.plan.sweep != nil {
		w.Dispatches = len(ds)
	}
	s.pv.WouldFire = append(s.pv.WouldFire, w)
}

// rest is about a batch that is not full.
func (s *sifter) rest() {
	gate := &s.draft.plan.gate
	for _, p := range s.batch {
		s.pv.Counts.WouldFire--
		s.settle(p.Key, p.At.Add(gate.Wait), fmt.Sprintf("the batch has %d of %d events", len(s.batch), gate.Size))
	}
}

func (s *sifter) reject(p *Pending, reason string) {
	if s.bad++; s.bad == 1 {
		s.wrong = reason
	}
	s.ignore(p, "rejected: "+reason)
}

func (s *sifter) ignore(p *Pending, reason string) {
	s.pv.Counts.WouldFire--
	s.pv.Counts.Ignored++
	if len(s.pv.Ignored) < previewOthers {
		s.pv.Ignored = append(s.pv.Ignored, Ignored{Key: p.Key, Reason: reason})
	}
}

func (s *sifter) settle(key string, until time.Time, why string) {
	s.pv.Counts.Settling++
	if len(s.pv.Settling) < previewOthers {
		s.pv.Settling = append(s.pv.Settling, Settling{Key: key, Until: until, Why: why})
	}
}
