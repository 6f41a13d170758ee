package api

import (
	"context"
	"slices"
	"strings"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/triggers"
)

// GetHold implements StrictServerInterface.
func (s *Server) GetHold(ctx context.Context, r GetHoldRequestObject) (GetHoldResponseObject, error) {
	out := GetHold200JSONResponse{Triggers: []HeldTrigger{}}
	h, held, err := s.o.Store.Held(ctx)
	if err != nil || !held {
		return out, err
	}
	g, err := s.o.Store.Gauges(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.o.Triggers.Standings(ctx)
	if err != nil {
		return nil, err
	}
	out.Held, out.Since, out.Dispatches = true, Micros(h.Since), g.DispatchesPending+g.DispatchesRunning
	out.Reason = orNull("restored from a backup of " + h.Backup.UTC().Format("2006-01-02 15:04:05 UTC"))
	from, _ := slices.BinarySearchFunc(all, r.Params.After, func(t triggers.Standing, after string) int {
		if t.Name == after {
			return -1 // it was shown
		}
		return strings.Compare(t.Name, after)
	})
	all = all[from:]
	if most := pageSize(r.Params.Limit); len(all) > most {
		all = all[:most]
		out.Next = orNull(all[most-1].Name)
	}
	for _, t := range all {
		out.Triggers = append(out.Triggers, HeldTrigger(t))
	}
	return out, nil
}

// pageSize is how many things a page has when so many are asked for.
func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, 500)
}

// EndHold implements StrictServerInterface.
func (s *Server) EndHold(ctx context.Context, _ EndHoldRequestObject) (EndHoldResponseObject, error) {
	ended, err := s.o.Store.EndHold(ctx)
	if err != nil {
		return nil, err
	}
	// Also when it had ended before: whoever ended it may have been cut off here.
	s.o.Dispatcher.Release(dispatcher.HoldRestored)
	s.o.Triggers.Release()
	if ended {
		s.changed(ctx, "the hold after the restore was ended", keyStatus, "serving")
	}
	return EndHold204Response{}, nil
}
