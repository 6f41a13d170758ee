package api

import (
	"context"
	"errors"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// maxAncestors bounds how far back the cause of a dispatch is looked for.
const maxAncestors = 100

// explainDispatch goes back from a dispatch to the firing, the events and the trigger
// that made it, and says what it waits for.
func (s *Server) explainDispatch(ctx context.Context, ref string) (Explanation, error) {
	d, es, err := s.o.Store.Shown(ctx, ref, shownElectrons)
	if err != nil {
		return Explanation{}, err
	}
	s.o.Dispatcher.Explain(&d)
	if err := s.o.Dispatcher.ExplainElectrons(ctx, d, es); err != nil {
		return Explanation{}, err
	}
	out := Explanation{Dispatch: explainedDispatchOf(d), Events: []ExplainedEvent{}}
	line, err := s.ancestors(ctx, d)
	if err != nil {
		return Explanation{}, err
	}
	after, err := s.followers(ctx, d)
	if err != nil {
		return Explanation{}, err
	}
	cause := line[len(line)-1]
	if cause.FiringID == "" {
		out.Text = harmless(dispatchSentence(line, es, nil, nil) + after)
		return out, nil
	}
	t, err := s.o.Store.Trigger(ctx, cause.TriggerID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		t = triggers.Trigger{ID: cause.TriggerID, Name: cause.Trigger, State: "removed"}
	case err != nil:
		return Explanation{}, err
	default:
		t = s.o.Triggers.Live(t)
	}
	out.Trigger = triggerRefOf(t)
	events, err := s.eventsOfFiring(ctx, cause)
	if err != nil {
		return Explanation{}, err
	}
	out.Events = events.shown()
	out.Text = harmless(dispatchSentence(line, es, &t, events) + after)
	return out, nil
}

// ancestors are the dispatch and those it came from, back to one that a trigger made or
// that has none before it: out of a lattice within a lattice, then along redispatches.
func (s *Server) ancestors(ctx context.Context, d graph.Dispatch) ([]graph.Dispatch, error) {
	line := []graph.Dispatch{d}
	for d.FiringID == "" && len(line) < maxAncestors {
		from := d.ParentID
		if d.RootID != d.ID {
			from = d.RootID
		}
		if from == "" {
			break
		}
		next, err := s.o.Store.Dispatch(ctx, from)
		if errors.Is(err, store.ErrNotFound) {
			break // removed since
		}
		if err != nil {
			return nil, err
		}
		d = next
		line = append(line, d)
	}
	return line, nil
}

// eventsOfFiring is the story of the firing that made a dispatch, told of the first
// events.
func (s *Server) eventsOfFiring(ctx context.Context, d graph.Dispatch) (story, error) {
	t, err := s.came(ctx, d.FiringID)
	if err != nil || t.firing == nil {
		return nil, err
	}
	var out story
	for _, id := range t.firing.EventIDs[:min(len(t.firing.EventIDs), toldEvents)] {
		e, err := s.o.Store.Event(ctx, d.TriggerID, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t.event = e
		out = append(out, t)
	}
	return out, nil
}
