package store

import (
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var _ triggers.Ledger = (*Store)(nil)

func triggerOn(d graph.Dispatch, name string) triggers.Trigger {
	return triggers.Trigger{
		Name: name, Kind: "directory", Spec: []byte(`{"dir_path":"/data"}`), DispatchID: d.ID,
		Owner: "anna", CreatedBy: "anna", RunAs: "latticed-run",
	}
}

func batch(es ...triggers.Event) triggers.Batch { return triggers.Batch{Events: es} }

// fired decides that an event makes one dispatch.
func fired(e triggers.Event, d graph.Dispatch) []triggers.Decision {
	return []triggers.Decision{{EventIDs: []string{e.ID}, State: triggers.EventFired, Reason: "event", Dispatches: []graph.Dispatch{d}}}
}

func record(t testing.TB, s *Store, tr triggers.Trigger, b triggers.Batch, ds ...triggers.Decision) []triggers.Event {
	t.Helper()
	return must(s.Record(t.Context(), tr.ID, tr.Revision, b, ds))(t).Events
}

func eventIDs(es []triggers.Event) []string {
	var s []string
	for _, e := range es {
		s = append(s, e.ID)
	}
	return s
}
