package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// toldFollowers bounds the triggers that an explanation names.
const toldFollowers = 5

// followers says what triggers have made of the end of a dispatch: "; to trigger t it was
// reported as ended at …, and …".
func (s *Server) followers(ctx context.Context, d graph.Dispatch) (said string, err error) {
	if !d.Status.Terminal() {
		return "", nil
	}
	es, err := s.o.Store.Followed(ctx, d.ID, toldFollowers)
	if err != nil {
		return "", err
	}
	for _, e := range es {
		t, err := s.o.Store.Trigger(ctx, e.TriggerID)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return "", err
		}
		became := told{}
		if e.State == triggers.EventFired {
			if became, err = s.came(ctx, e.FiringID); err != nil {
				return "", err
			}
		}
		became.event = e
		said += fmt.Sprintf("; to trigger %s it was %s", t.Name, became.outcome())
	}
	return said, nil
}
