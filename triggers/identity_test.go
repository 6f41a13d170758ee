package triggers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// once is a source that reports one event, the same in all triggers.
type once struct{}

func (once) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	if from.Cursor == nil {
		if err := emit(ctx, triggers.Batch{Cursor: []byte(`{}`), Events: []triggers.Event{{Key: "the same", Kind: "tick"}}}); err != nil {
			return err
		}
	}
	from.Health(triggers.Active, "")
	return triggers.Until(time.Now().Add(time.Hour))
}

// Pain points 29 and 30: a trigger is its row, not what it looks like. Equal ones are
// neither one nor do they multiply.
func TestEqualTriggers_each_fire_once_and_for_themselves(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.made = func(m *triggers.Made) { m.Source = once{} }
		var all []triggers.Trigger
		for _, name := range []string{"a", "b", "c"} {
			tr, _, err := w.manager.Add(t.Context(), []byte(`{"name": "`+name+`", "kind": "feed", "lattice": "echo"}`), triggers.Principal{})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, tr)
		}
		w.restart()
		wait(3 * time.Hour)
		for _, tr := range all {
			ds := w.ledger.Dispatches(tr.ID)
			if len(ds) != 1 || ds[0].TriggerID != tr.ID || ds[0].Status != graph.Pending {
				t.Errorf("trigger %s: %+v", tr.Name, ds)
			}
		}
	})
}

// Pain point 36: how far a trigger is behind is a number to alert on.
func TestLag_is_the_age_of_the_oldest_event_without_a_decision(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"max_in_flight": 1`)
		w.happen(1)
		wait(time.Hour)
		if s := w.manager.Stats(); s.Lag != 0 {
			t.Errorf("lag %s with nothing to decide", s.Lag)
		}
		w.happen(3)
		wait(2 * time.Hour)
		w.happen(1)
		if s := w.manager.Stats(); s.Lag != 2*time.Hour || s.Held != 4 || s.Waiting[triggers.ReasonOverlap] != 4 {
			t.Errorf("%+v", s)
		}
		w.restart()
		if s := w.manager.Stats(); s.Lag != 2*time.Hour {
			t.Errorf("lag %s after a restart", s.Lag)
		}
		for range 4 {
			w.end(tr, 1)
		}
		synctest.Wait()
		if s := w.manager.Stats(); s.Lag != 0 || s.Held != 0 {
			t.Errorf("%+v", s)
		}
	})
}
