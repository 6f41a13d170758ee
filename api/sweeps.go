package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
)

// shownSwept is how many dispatches of a new sweep are shown.
const shownSwept = 100

// CreateSweep implements StrictServerInterface.
func (s *Server) CreateSweep(ctx context.Context, r CreateSweepRequestObject) (CreateSweepResponseObject, error) {
	req, err := s.sweepRequest(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	if r.Params.DryRun {
		p, err := s.o.Dispatcher.PlanSweep(ctx, req)
		if err != nil {
			return nil, inDocument(err, infoOf(ctx).body, r.Body.Lattice)
		}
		return CreateSweep200JSONResponse(plannedSweep(p)), nil
	}
	var plan *dispatcher.SweepPlan
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, func(v any) (int, any, bool) {
		ds, ok := v.([]graph.Dispatch)
		if !ok {
			return 0, nil, false
		}
		return http.StatusCreated, sweepOf(plan, ds), true
	})
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	if plan, err = s.o.Dispatcher.PlanSweep(ctx, req); err != nil {
		return nil, inDocument(err, infoOf(ctx).body, r.Body.Lattice)
	}
	ds, err := s.o.Dispatcher.Sweep(ctx, plan)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	return CreateSweep201JSONResponse(sweepOf(plan, ds)), nil
}

func (s *Server) sweepRequest(ctx context.Context, b *NewSweep) (dispatcher.SweepRequest, error) {
	out := dispatcher.SweepRequest{Parent: b.DispatchID, Name: b.Name, Limit: b.MaxInFlight}
	var err error
	if out.Request, err = s.request(ctx, b.Inputs, b.Labels, b.Note); err != nil {
		return out, err
	}
	switch {
	case len(b.Lattice) > 0:
		err = lattice(&out.Request, b.Lattice)
	case b.DispatchID == "":
		err = invalid(fieldError("lattice", codeMissing, "say what to run: lattice, or dispatch_id of one that is to run again"))
	}
	if err == nil {
		out.Over, err = sweepOver(b.Grid, b.List)
	}
	return out, err
}

// sweepOver reads a grid and a list.
func sweepOver(grid, list json.RawMessage) (over graph.Sweep, err error) {
	var doc *graph.Invalid
	if given(grid) {
		if over.Grid, err = graph.DecodeGrid(grid); err != nil && !errors.As(err, &doc) {
			err = invalid(fieldError("grid", codeWrongType, "%v", err))
		}
	}
	if err != nil || !given(list) {
		return over, err
	}
	v, err := graph.DecodeValue(list)
	if err != nil {
		return over, invalid(fieldError("list", codeInvalidJSON, "%v", err))
	}
	rows, ok := v.([]any)
	if !ok {
		return over, invalid(fieldError("list", codeWrongType, "must be a list of objects of inputs"))
	}
	over.List = make([]map[string]any, len(rows))
	for i, row := range rows {
		if over.List[i], ok = row.(map[string]any); !ok {
			return over, invalid(fieldError(fmt.Sprintf("list[%d]", i), codeWrongType, "must be an object of inputs"))
		}
	}
	return over, nil
}

func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// inDocument is moved for what may be of the document or of the request: only findings
// in a document have a line.
func inDocument(err error, body []byte, doc json.RawMessage) error {
	var found *graph.Invalid
	if errors.As(err, &found) && len(found.Problems) > 0 && found.Problems[0].Line > 0 {
		return moved(err, body, doc)
	}
	return err
}

// sweepOf shows a sweep that was stored.
func sweepOf(p *dispatcher.SweepPlan, ds []graph.Dispatch) Sweep {
	out := plannedSweep(p)
	out.Label = sweepLabel(ds)
	for i := range out.Items {
		out.Items[i].ID, out.Items[i].Number = ds[i].ID, ds[i].Number
	}
	return out
}

// plannedSweep shows a sweep that is not stored.
func plannedSweep(p *dispatcher.SweepPlan) Sweep {
	out := Sweep{
		Label: graph.SweepLabel + "=" + p.Name, Count: len(p.Dispatches), MaxInFlight: p.Limit,
		Items: make([]SweepItem, min(shownSwept, len(p.Dispatches))), Warnings: warningsOf(p.Warnings),
	}
	for i := range out.Items {
		raw, err := graph.Canonical(p.Set[i])
		if err != nil {
			raw = nil // it was written before, as a part of the inputs
		}
		out.Items[i].Inputs = orEmpty(raw)
	}
	return out
}

// sweepLabel is the label of a sweep as a filter takes it.
func sweepLabel(ds []graph.Dispatch) string {
	return graph.SweepLabel + "=" + ds[0].Labels[graph.SweepLabel]
}

// VisitCreateSweepResponse implements CreateSweepResponseObject.
func (a saved) VisitCreateSweepResponse(w http.ResponseWriter) error { return a.write(w) }
