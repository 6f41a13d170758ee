package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// shownTrigger is the answer of the routes that show one trigger. The generated
// answers would lose the fields that are the kind's own.
type shownTrigger struct {
	status int
	Trigger
}

func (t shownTrigger) write(w http.ResponseWriter) error {
	raw, err := json.Marshal(t.Trigger)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(t.status)
	_, err = w.Write(append(raw, '\n'))
	return err
}

// VisitCreateTriggerResponse implements CreateTriggerResponseObject.
func (t shownTrigger) VisitCreateTriggerResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitGetTriggerResponse implements GetTriggerResponseObject.
func (t shownTrigger) VisitGetTriggerResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitPutTriggerResponse implements PutTriggerResponseObject.
func (t shownTrigger) VisitPutTriggerResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitPatchTriggerResponse implements PatchTriggerResponseObject.
func (t shownTrigger) VisitPatchTriggerResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitPauseTriggerResponse implements PauseTriggerResponseObject.
func (t shownTrigger) VisitPauseTriggerResponse(w http.ResponseWriter) error { return t.write(w) }

// VisitResumeTriggerResponse implements ResumeTriggerResponseObject.
func (t shownTrigger) VisitResumeTriggerResponse(w http.ResponseWriter) error { return t.write(w) }

// triggerOf shows a trigger: what is known of it, and the fields it was registered
// with beside that.
func (s *Server) triggerOf(t triggers.Trigger, warnings []graph.Warning) Trigger {
	t = s.o.Triggers.Live(t)
	out := Trigger{
		ID: t.ID, Name: t.Name, Kind: t.Kind, Revision: t.Revision, State: string(t.State), Reason: orNull(t.Reason),
		LastEventAt: Micros(t.LastEventAt), LastFiringAt: Micros(t.LastFiringAt), NextAt: Micros(t.NextAt),
		LagS: seconds(t.OldestAt, time.Now()), Pending: t.Pending,
		Owner: t.Owner, CreatedBy: t.CreatedBy, RunAs: t.RunAs,
		CreatedAt: Micros(t.CreatedAt), UpdatedAt: Micros(t.UpdatedAt), Seq: t.Seq,
		Warnings: warningsOf(warnings),
	}
	var spec map[string]json.RawMessage
	if json.Unmarshal(s.o.Triggers.Shown(t), &spec) == nil {
		for field, v := range spec {
			out.Set(field, v)
		}
	}
	if b := t.Backfill; b != nil {
		out.Backfill = &Backfilled{Found: b.Found, Known: b.Known, Emitted: b.Emitted}
	}
	if t.DispatchID != "" {
		out.Set("dispatch_id", t.DispatchID)
	}
	if t.LatticeID != "" {
		out.Set("lattice_id", t.LatticeID)
	}
	return out
}

func eventOf(e triggers.Event) Event {
	return Event{
		ID: e.ID, TriggerID: e.TriggerID, Key: e.Key, Kind: e.Kind, At: Micros(e.At), Payload: orEmpty(e.Payload),
		State: string(e.State), Reason: orNull(e.Reason), FiringID: orNull(e.FiringID), Seq: e.Seq,
	}
}

func firingOf(f triggers.Firing) Firing {
	out := Firing{
		ID: f.ID, TriggerID: f.TriggerID, Revision: f.Revision, Decision: string(f.Decision), Reason: orNull(f.Reason),
		DispatchIds: f.DispatchIDs, EventIds: f.EventIDs, Inputs: f.Inputs, At: Micros(f.At),
	}
	if out.DispatchIds == nil {
		out.DispatchIds = []string{}
	}
	if out.EventIds == nil {
		out.EventIds = []string{}
	}
	return out
}
