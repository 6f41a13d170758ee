package chain

import (
	"encoding/json"
	"fmt"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// payload is the end of a dispatch as expressions see it.
type payload struct {
	ID        string            `json:"id"`
	Number    int64             `json:"number"`
	Lattice   string            `json:"lattice"`
	LatticeID string            `json:"lattice_id"`
	Status    graph.Status      `json:"status"`
	Inputs    json.RawMessage   `json:"inputs"`
	Result    json.RawMessage   `json:"result"`
	Error     *graph.Error      `json:"error"`
	Labels    map[string]string `json:"labels"`
	Trigger   *string           `json:"trigger"`
	ParentID  *string           `json:"parent_id"`
	RootID    string            `json:"root_id"`
	Time      string            `json:"time"`
}

const instant = "2006-01-02T15:04:05.000000Z" // RFC 3339, µs, UTC

// event is the end of a dispatch, in the view of a trigger: how often it took part in
// what led to it is its generation.
func event(e *triggers.Ended, trigger string) (triggers.Event, error) {
	p := payload{
		ID: e.ID, Number: e.Number, Lattice: e.LatticeName, LatticeID: e.LatticeID, Status: e.Status,
		Inputs: e.Inputs, Result: e.Result, Error: e.Error, Labels: e.Labels,
		Trigger: orNull(e.Trigger), ParentID: orNull(e.ParentID), RootID: e.RootID, Time: e.EndedAt.UTC().Format(instant),
	}
	if p.Inputs == nil {
		p.Inputs = json.RawMessage("{}")
	}
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return triggers.Event{}, fmt.Errorf("write the event of dispatch %d: %w", e.Number, err)
	}
	out := triggers.Event{Key: e.ID, Kind: "ended", Payload: raw}
	for _, cause := range e.Causes {
		if cause == trigger {
			out.Generation++
		}
	}
	return out, nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
