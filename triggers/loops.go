package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxAncestors bounds the dispatches that are read for one event.
	maxAncestors = 4
	// maxRetraced bounds what is read of the firings before a restart: what was under
	// way then, and a little more.
	maxRetraced = 64
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
			d, err := k.m.ledger.Dispatch(ctx, a.dispatch)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read dispatch %s: %w", a.dispatch, err)
			}
			if during(changed, &d) {
				p.Generation = a.generation + 1
				break
			}
		}
	}
	return nil
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
		k.m.traces.fired(k.id, &p, fired[i].Dispatch)
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
	if e.Generation < loopAt || p.loops {
		return "", ""
	}
	if e.State != EventHeld {
		return "", ReasonLoop // the source has just reported it
	}
	if s, ok := p.made.Source.(Ignorer); ok && s.Ignores(fields) {
		return ReasonIgnored, ""
	}
	return "", ReasonLoop
}

// tellLoops shows that events are held because the trigger seems to feed itself. k.mu
// is held.
func (k *keeper) tellLoops() {
	text := ""
	switch n := k.aside.loops; {
	case n > 0:
		text = fmt.Sprintf("it seems to feed itself, so %s, such as %s: dispatches of this trigger have changed what it watches, three times one after the other. "+
			"Leave the results out with exclude, or write them elsewhere, then edit the trigger, which looks at them again; or fire them by hand. If something else writes these files, set loop to allow", held(int64(n)), k.aside.loop)
	case k.behind:
		return // not all are known
	}
	if k.health.loops != text {
		k.health.loops = text
		k.storeHealth(k.ctx)
	}
}
