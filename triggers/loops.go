package triggers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
)

const (
	// maxAncestors bounds the dispatches that are read for one event.
	maxAncestors = 4
	// maxRetraced bounds what is read of the firings before a restart: what was under
	// way then, and a little more.
	maxRetraced = 64
	// maxOvertaken bounds what is read of the events about one path.
	maxOvertaken = 100
)

// Ignorer is implemented by sources that leave files out by rules.
type Ignorer interface {
	// Ignores tells, without any I/O, whether the rules of now leave out the file of an
	// event with these fields.
	Ignores(fields map[string]any) bool
}

// generations finds out which new events dispatches of this trigger seem to have led
// to. A dispatch is read only when the names suggest it. k.mu is held.
func (k *keeper) generations(ctx context.Context, pending []Pending) error {
	for i := range pending {
		p := &pending[i]
		file, changed := filePath(p.decode()), changedAt(p.fields)
		if file == "" || changed.IsZero() {
			continue
		}
		if err := k.retrace(ctx); err != nil {
			return err
		}
		ancestors := k.m.traces.ancestors(k.id, file)
		for _, a := range ancestors[:min(len(ancestors), maxAncestors)] {
			while, err := k.underWay(ctx, a)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read dispatch %s: %w", a.dispatch, err)
			}
			if during(changed, &while) {
				p.Generation = a.generation + 1
				break
			}
		}
	}
	return nil
}

// underWay is the first dispatch of a firing, which has ended when the last of it has:
// those of a sweep begin in their order, one after the other.
func (k *keeper) underWay(ctx context.Context, t trace) (graph.Dispatch, error) {
	d, err := k.m.ledger.Dispatch(ctx, t.dispatch)
	if err != nil || t.last == t.dispatch {
		return d, err
	}
	last, err := k.m.ledger.Dispatch(ctx, t.last)
	if errors.Is(err, ErrNotFound) {
		return d, nil
	}
	d.EndedAt = last.EndedAt
	return d, err
}

// retrace remembers what was fired before this process was there, so that a restart
// ends no chain. k.mu is held.
func (k *keeper) retrace(ctx context.Context) error {
	if k.traced {
		return nil
	}
	fired, err := k.m.ledger.LastFired(ctx, k.id, maxRetraced)
	if err != nil {
		return fmt.Errorf("read the latest firings: %w", err)
	}
	for i := range fired {
		p := Pending{Event: fired[i].Event}
		p.decode()
		k.m.traces.fired(k.id, &p, fired[i].Dispatch, fired[i].Last)
	}
	k.traced = true
	return nil
}

// knows tells whether anything is remembered of a trigger.
func (t *traces) knows(trigger string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count[trigger] > 0
}

// changedAt is when the file of an event was changed last; zero: nobody knows.
func changedAt(fields map[string]any) time.Time {
	text, _ := fields["mtime"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// looped says what becomes of an event that the trigger itself seems to have led to.
func (p *plan) looped(e *Event, fields map[string]any) (skip, hold string) {
	again := e.State == EventHeld // else the source has just reported it
	deep := e.Generation >= loopAt
	ended := again && e.Reason == ReasonLoop && !deep // an edit has ended its chain
	if p.loops || !deep && !ended {
		return "", ""
	}
	if s, ok := p.made.Source.(Ignorer); again && ok && s.Ignores(fields) {
		return ReasonIgnored, ""
	}
	if ended {
		return "", ""
	}
	return "", ReasonLoop
}

// overtaker is an event that has fired, by hand or not.
type overtaker struct{ id, path string }

// overtake skips what is held for a loop when a later event about the same path has
// fired. k.mu is held.
func (k *keeper) overtake(ctx context.Context) error {
	fired := k.overtakers
	k.overtakers = nil
	if k.aside.loops == 0 {
		return nil
	}
	for _, f := range fired {
		es, err := k.m.ledger.About(ctx, k.id, f.path, maxOvertaken)
		if err != nil {
			return fmt.Errorf("read the events about %s: %w", show(f.path), err)
		}
		at := slices.IndexFunc(es, func(e Event) bool { return e.ID == f.id })
		if at < 0 {
			continue
		}
		var old []Pending
		v := Verdict{State: EventSkipped, Reason: ReasonSuperseded}
		for _, e := range es[at:] { // the newest come first
			if e.State == EventHeld && e.Reason == ReasonLoop {
				v.Events = append(v.Events, len(old))
				old = append(old, Pending{Event: e})
			}
		}
		if len(old) == 0 {
			continue
		}
		ds, err := decisions([]Verdict{v}, old)
		if err != nil {
			return err
		}
		if _, err := k.m.ledger.Fire(ctx, k.id, k.trigger.Revision, ds); err != nil {
			return fmt.Errorf("store decisions: %w", err)
		}
		k.apply([]Verdict{v}, ds, old)
		k.forget() // they were counted
	}
	return nil
}

// tellLoops shows that events are held because the trigger seems to feed itself. k.mu
// is held.
func (k *keeper) tellLoops() {
	text := ""
	switch n := k.aside.loops; {
	case n > 0 && k.aside.loop == "":
		text = fmt.Sprintf("it seems to feed itself, so %s: dispatches of this trigger have led to its next event, by themselves or over other triggers, three times one after the other. "+
			"Narrow what it follows. Any edit of the trigger lets what is held run; so does firing it by hand. If that is how it is meant, set loop to allow", held(int64(n)))
	case n > 0:
		text = fmt.Sprintf("it seems to feed itself, so %s, such as %s: dispatches of this trigger have changed what it watches, three times one after the other. "+
			"Leave the results out with exclude, or write them elsewhere. Any edit of the trigger lets what is held run, but for files that it leaves out by then, which are skipped; so does firing it by hand, and a later event of the same path that fires takes its place. If something else writes these files, set loop to allow", held(int64(n)), k.aside.loop)
	case k.behind:
		return // not all are known
	}
	if k.health.loops != text {
		k.health.loops = text
		k.storeHealth(k.ctx)
	}
}
