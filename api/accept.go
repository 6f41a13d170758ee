package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
)

// CreateDispatch implements StrictServerInterface.
func (s *Server) CreateDispatch(ctx context.Context, r CreateDispatchRequestObject) (CreateDispatchResponseObject, error) {
	b := r.Body
	req, err := s.request(ctx, b.Inputs, b.Labels, b.Note)
	if err != nil {
		return nil, err
	}
	req.DisableRun = b.DisableRun
	if err := lattice(&req, b.Lattice); err != nil {
		return nil, err
	}
	d, call, err := s.accept(ctx, r.Params.IdempotencyKey, req, s.o.Dispatcher.Accept)
	switch {
	case err != nil:
		return nil, moved(err, infoOf(ctx).body, b.Lattice)
	case call.answer != nil:
		return call.saved(), nil
	}
	return CreateDispatch201JSONResponse(d), nil
}

// Redispatch implements StrictServerInterface.
func (s *Server) Redispatch(ctx context.Context, r RedispatchRequestObject) (RedispatchResponseObject, error) {
	b := r.Body
	if b == nil {
		b = &NewRedispatch{}
	}
	req, err := s.request(ctx, b.Inputs, b.Labels, b.Note)
	if err != nil {
		return nil, err
	}
	req.DisableRun, req.Unset, req.Reuse = b.DisableRun, b.Unset, b.ReusePreviousResults
	if req.Replace, err = replacements(b.ReplaceElectrons); err != nil {
		return nil, err
	}
	if len(b.Lattice) > 0 {
		if err := lattice(&req, b.Lattice); err != nil {
			return nil, err
		}
	}
	if r.Params.DryRun {
		p, err := s.o.Dispatcher.PlanRedispatch(ctx, r.ID, req)
		if err != nil {
			return nil, moved(err, infoOf(ctx).body, b.Lattice)
		}
		return Redispatch200JSONResponse(redispatchPlan(p)), nil
	}
	d, call, err := s.accept(ctx, r.Params.IdempotencyKey, req, func(ctx context.Context, req dispatcher.Request) (graph.Dispatch, []graph.Warning, error) {
		return s.o.Dispatcher.Redispatch(ctx, r.ID, req)
	})
	switch {
	case err != nil:
		return nil, moved(err, infoOf(ctx).body, b.Lattice)
	case call.answer != nil:
		return call.saved(), nil
	}
	return Redispatch201JSONResponse(d), nil
}

// accept makes a dispatch, once for each key. The answer is the same when it is
// rendered within the transaction and after it.
func (s *Server) accept(ctx context.Context, key string, req dispatcher.Request,
	do func(context.Context, dispatcher.Request) (graph.Dispatch, []graph.Warning, error),
) (Dispatch, *call, error) {
	var warnings []graph.Warning
	req.Warned = func(ws []graph.Warning) { warnings = ws }
	accepted := func(d graph.Dispatch) Dispatch {
		out := dispatchOf(d)
		out.Warnings = warningsOf(warnings)
		return out
	}
	ctx, call, err := s.once(ctx, key, func(v any) (int, any, bool) {
		d, ok := v.(graph.Dispatch)
		return http.StatusCreated, accepted(d), ok
	})
	if err != nil || call.answer != nil {
		return Dispatch{}, call, err
	}
	d, _, err := do(ctx, req)
	if call.replayed(err) {
		return Dispatch{}, call, nil
	}
	return accepted(d), call, err
}

// request is what new dispatches and redispatches share.
func (s *Server) request(ctx context.Context, inputs json.RawMessage, labels map[string]string, note string) (dispatcher.Request, error) {
	who, err := principalOf(ctx)
	if err != nil {
		return dispatcher.Request{}, err
	}
	req := dispatcher.Request{Labels: labels, Note: note, Owner: who.Name, CreatedBy: who.Name, RunAs: s.o.RunAs}
	if len(inputs) > 0 {
		if err := objectOnly("inputs", inputs); err != nil {
			return req, err
		}
		v, err := graph.DecodeValue(inputs)
		if err != nil {
			return req, invalid(fieldError("inputs", codeInvalidJSON, "%v", err))
		}
		req.Inputs, _ = v.(map[string]any)
	}
	return req, nil
}

// lattice reads the lattice of a request: a document, or a name or id.
func lattice(req *dispatcher.Request, raw json.RawMessage) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '{' {
		req.Document = raw
		return nil
	}
	if err := json.Unmarshal(raw, &req.Lattice); err != nil || req.Lattice == "" {
		return invalid(fieldError("lattice", codeWrongType, "must be a document, or the name or id of a stored lattice"))
	}
	return nil
}

// moved puts the findings of a document that is part of a body where they stand in
// the body.
func moved(err error, body []byte, doc json.RawMessage) error {
	var found *graph.Invalid
	at := bytes.Index(body, doc)
	if !errors.As(err, &found) || at < 0 || len(doc) == 0 || doc[0] != '{' {
		return err
	}
	line, column := place(body, int64(at))
	out := fieldErrors(found)
	for i, e := range out {
		if (strings.HasPrefix(e.Path, "inputs.") || strings.HasPrefix(e.Path, "replace_electrons.")) && e.Line == 0 {
			continue // of other parts of the request, not of the document
		}
		out[i].Path = join("lattice", e.Path)
		if e.Line == 1 {
			out[i].Column += column - 1
		}
		if e.Line > 0 {
			out[i].Line += line - 1
		}
	}
	return invalid(out...)
}

// objectOnly refuses a value that isn't a JSON object.
func objectOnly(path string, raw json.RawMessage) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return invalid(fieldError(path, codeWrongType, "must be a JSON object"))
	}
	return nil
}
