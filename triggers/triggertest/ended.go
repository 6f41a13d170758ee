package triggertest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// ended makes a dispatch end; l.mu is held.
func (l *Ledger) ended(d *graph.Dispatch, as graph.Status) {
	d.Status, d.EndedAt = as, time.Now()
	l.ends = append(l.ends, d.ID)
}

// Ends implements triggers.Ledger.
func (l *Ledger) Ends(_ context.Context, after int64, limit int) (es []triggers.End, place int64, err error) {
	err = l.begin("Ends")
	defer l.end("Ends", &err)
	if err != nil {
		return nil, after, err
	}
	if after < 0 {
		return nil, int64(len(l.ends)), nil
	}
	for place = after; place < int64(len(l.ends)) && len(es) < limit; {
		d := l.dispatch(l.ends[place])
		place++
		es = append(es, triggers.EndOf(d, place))
	}
	return es, place, nil
}

// Ended implements triggers.Ledger.
func (l *Ledger) Ended(_ context.Context, ends []triggers.End) (es []triggers.Ended, err error) {
	err = l.begin("Ended")
	defer l.end("Ended", &err)
	if err != nil {
		return nil, err
	}
	for _, e := range ends {
		d := l.dispatch(l.ends[e.Seq-1])
		es = append(es, triggers.Ended{Dispatch: *d, Seq: e.Seq, Causes: l.causes(d)})
	}
	return es, nil
}

func (l *Ledger) dispatch(id string) *graph.Dispatch {
	for i := range l.dispatches {
		if l.dispatches[i].ID == id {
			return &l.dispatches[i]
		}
	}
	return nil
}

// causes are the triggers that led to a dispatch, its own first.
func (l *Ledger) causes(d *graph.Dispatch) []string {
	counts := l.causeCounts(d)
	if len(counts) == 0 {
		return nil
	}
	causes := []string{d.TriggerID}
	counts[d.TriggerID]--
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		causes = append(causes, slices.Repeat([]string{id}, counts[id])...)
	}
	return causes
}

// causeCounts tells how often each trigger took part: of several ways that led to a
// dispatch, on the one where that was most often.
func (l *Ledger) causeCounts(d *graph.Dispatch) map[string]int {
	if d == nil || l.triggers[d.TriggerID] == nil {
		return nil
	}
	r, c, own := l.triggers[d.TriggerID], map[string]int{}, 0
	for _, f := range r.firings {
		if f.ID != d.FiringID || r.Kind != "dispatch" {
			continue
		}
		for _, id := range f.EventIDs {
			e := r.event(id)
			own = max(own, e.Generation)
			var about struct{ ID string }
			if json.Unmarshal(e.Payload, &about) != nil {
				continue
			}
			for t, n := range l.causeCounts(l.dispatch(about.ID)) {
				c[t] = max(c[t], n)
			}
		}
	}
	c[d.TriggerID] = own + 1 // its events have counted themselves
	return c
}
