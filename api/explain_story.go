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
	toldBlocking   = 3  // that one event waits for
)

// told is an event with what came of it.
type told struct {
	event      triggers.Event
	firing     *triggers.Firing // nil: not decided yet
	dispatches []graph.Dispatch
	removed    int // dispatches that are there no more
	blockedBy  []graph.Dispatch
}

// story is what a trigger did about something, newest first.
type story []told

// storyOf looks up what came of events.
func (s *Server) storyOf(ctx context.Context, events []triggers.Event) (story, error) {
	var blocking []graph.Dispatch // of the trigger, which is one and the same
	out := make(story, 0, min(len(events), toldEvents))
	known := map[string]told{} // by firing: events of a batch share theirs
	for _, e := range events[:min(len(events), toldEvents)] {
		if e.FiringID == "" {
			t := told{event: e}
			if waitsForDispatches(e) {
				if blocking == nil {
					var err error
					if blocking, err = s.inFlight(ctx, e.TriggerID); err != nil {
						return nil, err
					}
				}
				t.blockedBy = blocking
			}
			out = append(out, t)
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

func waitsForDispatches(e triggers.Event) bool {
	return e.State == triggers.EventHeld && (e.Reason == triggers.ReasonOverlap || e.Reason == triggers.ReasonReplacing)
}

// inFlight are the oldest dispatches of a trigger that have not ended.
func (s *Server) inFlight(ctx context.Context, trigger string) ([]graph.Dispatch, error) {
	ds, _, err := s.o.Store.Dispatches(ctx, store.DispatchFilter{
		Trigger: trigger, Status: []graph.Status{graph.New, graph.Pending, graph.Running}, Ascending: true, Limit: toldBlocking,
	})
	for i := range ds {
		s.o.Dispatcher.Explain(&ds[i])
	}
	return ds, err
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
			State: string(t.event.State), Reason: orNull(t.event.Reason), Dispatches: explainedDispatchesOf(t.dispatches), BlockedBy: explainedDispatchesOf(t.blockedBy),
		}
		if f := t.firing; f != nil {
			e.Firing = &ExplainedFiring{
				ID: f.ID, Revision: f.Revision, Decision: string(f.Decision), Reason: orNull(f.Reason), At: Micros(f.At), Events: len(f.EventIDs),
			}
		}
		out = append(out, e)
	}
	return out
}

func explainedDispatchesOf(ds []graph.Dispatch) []*ExplainedDispatch {
	out := make([]*ExplainedDispatch, 0, len(ds))
	for _, d := range ds {
		out = append(out, explainedDispatchOf(d))
	}
	return out
}

func explainedDispatchOf(d graph.Dispatch) *ExplainedDispatch {
	return &ExplainedDispatch{
		ID: d.ID, Number: d.Number, Status: string(d.Status), Reason: orNull(d.Reason), Waiting: waitingOf(d.Waiting),
		Error: errorOf(d.Error), CreatedAt: Micros(d.CreatedAt), EndedAt: Micros(d.EndedAt),
	}
}
