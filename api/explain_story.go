package api

import (
	"context"
	"errors"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// Limits of one explanation; more is found in the lists.
const (
	toldEvents     = 10
	toldDispatches = 10 // of one event
)

// told is an event with what came of it.
type told struct {
	event      triggers.Event
	firing     *triggers.Firing // nil: not decided yet
	dispatches []graph.Dispatch
	removed    int // dispatches that are there no more
}

// story is what a trigger did about something, newest first.
type story []told

// storyOf looks up what came of events.
func (s *Server) storyOf(ctx context.Context, events []triggers.Event) (story, error) {
	out := make(story, 0, min(len(events), toldEvents))
	known := map[string]told{} // by firing: events of a batch share theirs
	for _, e := range events[:min(len(events), toldEvents)] {
		if e.FiringID == "" {
			out = append(out, told{event: e})
			continue
		}
		t, there := known[e.FiringID]
		if !there {
			var err error
			if t, err = s.came(ctx, e.FiringID); err != nil {
				return nil, err
			}
			known[e.FiringID] = t
		}
		t.event = e
		out = append(out, t)
	}
	return out, nil
}

// came is what came of a firing.
func (s *Server) came(ctx context.Context, firing string) (told, error) {
	var t told
	f, err := s.o.Store.Firing(ctx, firing)
	if errors.Is(err, store.ErrNotFound) {
		return t, nil // forgotten since
	}
	if err != nil {
		return t, err
	}
	t.firing = &f
	for _, id := range f.DispatchIDs[:min(len(f.DispatchIDs), toldDispatches)] {
		d, err := s.o.Store.Dispatch(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			t.removed++
			continue
		}
		if err != nil {
			return t, err
		}
		s.o.Dispatcher.Explain(&d)
		t.dispatches = append(t.dispatches, d)
	}
	return t, nil
}

func (st story) shown() []ExplainedEvent {
	out := make([]ExplainedEvent, 0, len(st))
	for _, t := range st {
		e := ExplainedEvent{
			ID: t.event.ID, Key: t.event.Key, Kind: t.event.Kind, At: Micros(t.event.At), Payload: orEmpty(t.event.Payload),
			State: string(t.event.State), Reason: orNull(t.event.Reason), Dispatches: make([]*ExplainedDispatch, 0, len(t.dispatches)),
		}
		if f := t.firing; f != nil {
			e.Firing = &ExplainedFiring{
				ID: f.ID, Revision: f.Revision, Decision: string(f.Decision), Reason: orNull(f.Reason), At: Micros(f.At), Events: len(f.EventIDs),
			}
		}
		for _, d := range t.dispatches {
			e.Dispatches = append(e.Dispatches, explainedDispatchOf(d))
		}
		out = append(out, e)
	}
	return out
}

func explainedDispatchOf(d graph.Dispatch) *ExplainedDispatch {
	return &ExplainedDispatch{
		ID: d.ID, Number: d.Number, Status: string(d.Status), Reason: orNull(d.Reason), Waiting: waitingOf(d.Waiting),
		Error: errorOf(d.Error), CreatedAt: Micros(d.CreatedAt), EndedAt: Micros(d.EndedAt),
	}
}
