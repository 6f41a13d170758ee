package triggertest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// ended makes a dispatch end; l.mu is held.
func (l *Ledger) ended(d *graph.Dispatch, as graph.Status) {
	d.Status, d.EndedAt = as, time.Now()
	l.ends = append(l.ends, d.ID)
}

// Ended implements triggers.Ledger.
func (l *Ledger) Ended(_ context.Context, after int64, limit int) (es []triggers.Ended, place int64, err error) {
	err = l.begin("Ended")
	defer l.end("Ended", &err)
	if err != nil {
		return nil, after, err
	}
	if after < 0 {
		return nil, int64(len(l.ends)), nil
	}
	for place = after; place < int64(len(l.ends)) && len(es) < limit; {
		d := l.dispatch(l.ends[place])
		place++
		es = append(es, triggers.Ended{Dispatch: *d, Seq: place, Causes: l.causes(d)})
	}
	return es, place, nil
}

func (l *Ledger) dispatch(id string) *graph.Dispatch {
	for i := range l.dispatches {
		if l.dispatches[i].ID == id {
			return &l.dispatches[i]
		}
	}
	return nil
}

// causes are the triggers that led to a dispatch: of several ways, the longest.
func (l *Ledger) causes(d *graph.Dispatch) []string {
	if d == nil || l.triggers[d.TriggerID] == nil {
		return nil
	}
	r, best := l.triggers[d.TriggerID], []string(nil)
	for _, f := range r.firings {
		if f.ID != d.FiringID || r.Kind != "dispatch" {
			continue
		}
		for _, id := range f.EventIDs {
			var about struct{ ID string }
			if json.Unmarshal(r.event(id).Payload, &about) == nil {
				if c := l.causes(l.dispatch(about.ID)); len(c) > len(best) {
					best = c
				}
			}
		}
	}
	best = slices.Clone(best)
	slices.SortStableFunc(best, strings.Compare)
	return append([]string{d.TriggerID}, best...)
}
