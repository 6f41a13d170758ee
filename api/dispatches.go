package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

const (
	maxWait        = 60 * time.Second
	shownElectrons = 200 // of one dispatch
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
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, accepted)
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	d, warnings, err := s.o.Dispatcher.Accept(ctx, req)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, moved(err, infoOf(ctx).body, b.Lattice)
	}
	out := dispatchOf(d)
	out.Warnings = warningsOf(warnings)
	return CreateDispatch201JSONResponse(out), nil
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
	req.DisableRun, req.Unset = b.DisableRun, b.Unset
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, accepted)
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	d, warnings, err := s.o.Dispatcher.Redispatch(ctx, r.ID, req)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	out := dispatchOf(d)
	out.Warnings = warningsOf(warnings)
	return Redispatch201JSONResponse(out), nil
}

// accepted renders the answer of an accepted dispatch for the idempotency key.
func accepted(v any) (int, any, bool) {
	d, ok := v.(graph.Dispatch)
	return http.StatusCreated, dispatchOf(d), ok
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
		if strings.HasPrefix(e.Path, "inputs.") && e.Line == 0 {
			continue // of the request's inputs, not of the document
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

// GetDispatch implements StrictServerInterface.
func (s *Server) GetDispatch(ctx context.Context, r GetDispatchRequestObject) (GetDispatchResponseObject, error) {
	wait, err := waitOf(r.Params.Wait)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		if err := s.awaitEnd(ctx, r.ID, wait); err != nil {
			return nil, err
		}
	}
	out, err := s.shown(ctx, r.ID)
	return GetDispatch200JSONResponse(out), err
}

// waitOf reads ?wait=.
func waitOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := graph.ParseDuration(text)
	switch {
	case err != nil:
		return 0, invalid(fieldError("wait", codeWrongValue, "%v", err))
	case d < 0 || d > maxWait:
		return 0, invalid(fieldError("wait", codeWrongValue, "must be between 0s and 60s, not %s", text))
	}
	return d, nil
}

// awaitEnd waits for the end of a dispatch (id or number), or until wait is over.
func (s *Server) awaitEnd(ctx context.Context, ref string, wait time.Duration) error {
	ended, stop := s.o.Store.WatchEnd(ref) // first, so that no end falls between
	defer func() { stop() }()
	id, status, err := s.o.Store.Standing(ctx, ref)
	if err != nil || status.Terminal() {
		return err
	}
	if id != ref {
		stop()
		ended, stop = s.o.Store.WatchEnd(id)
		if _, status, err = s.o.Store.Standing(ctx, id); err != nil || status.Terminal() {
			return err
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	case <-s.stopping:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// shown is a dispatch (id or number) with its first electrons.
func (s *Server) shown(ctx context.Context, ref string) (Dispatch, error) {
	d, es, err := s.o.Store.Shown(ctx, ref, shownElectrons)
	if err != nil {
		return Dispatch{}, err
	}
	s.o.Dispatcher.Explain(&d)
	out := dispatchOf(d)
	if err := s.o.Dispatcher.ExplainElectrons(ctx, d, es); err != nil {
		return out, err
	}
	out.Electrons = make([]Electron, 0, len(es))
	for _, e := range es {
		shown, err := s.electronOf(ctx, e)
		if err != nil {
			return out, err
		}
		out.Electrons = append(out.Electrons, shown)
	}
	return out, nil
}

// PatchDispatch implements StrictServerInterface.
func (s *Server) PatchDispatch(ctx context.Context, r PatchDispatchRequestObject) (PatchDispatchResponseObject, error) {
	b := r.JSONBody
	if b == nil {
		b = r.ApplicationMergePatchPlusJSONBody
	}
	patch, err := patchOf(*b)
	if err != nil {
		return nil, err
	}
	d, err := s.o.Store.Dispatch(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if _, err = s.o.Store.PatchDispatch(ctx, d.ID, patch); err != nil {
		return nil, err
	}
	out, err := s.shown(ctx, d.ID)
	return PatchDispatch200JSONResponse(out), err
}

// patchOf reads a merge patch: null takes a value back to what it is at first.
func patchOf(b DispatchPatch) (store.DispatchPatch, error) {
	var p store.DispatchPatch
	var found []FieldError
	read := func(path string, raw json.RawMessage, into any, want string) {
		if len(raw) > 0 && json.Unmarshal(raw, into) != nil {
			found = append(found, fieldError(path, codeWrongType, "must be %s or null", want))
		}
	}
	null := func(raw json.RawMessage) bool { return string(raw) == "null" }
	if null(b.Labels) {
		return p, invalid(fieldError("labels", codeWrongType, "must be an object; give the labels to remove as null in it"))
	}
	read("labels", b.Labels, &p.Labels, "an object of texts and nulls")
	read("note", b.Note, &p.Note, "text")
	read("keep", b.Keep, &p.Keep, "true, false")
	if null(b.Note) {
		p.Note = new(string)
	}
	if null(b.Keep) {
		p.Keep = new(bool)
	}
	if len(found) > 0 {
		return p, invalid(found...)
	}
	return p, nil
}

// DeleteDispatch implements StrictServerInterface.
func (s *Server) DeleteDispatch(ctx context.Context, r DeleteDispatchRequestObject) (DeleteDispatchResponseObject, error) {
	d, err := s.o.Store.Dispatch(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if err := s.o.Store.DeleteDispatch(ctx, d.ID); err != nil {
		return nil, err
	}
	return DeleteDispatch204Response{}, nil
}

// StartDispatch implements StrictServerInterface.
func (s *Server) StartDispatch(ctx context.Context, r StartDispatchRequestObject) (StartDispatchResponseObject, error) {
	d, err := s.o.Store.Dispatch(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if d.Status == graph.New {
		started, err := s.o.Dispatcher.Start(ctx, d.ID)
		switch {
		case errors.Is(err, graph.ErrStale): // somebody was faster
			started, err = s.o.Store.Dispatch(ctx, d.ID)
			fallthrough
		default:
			if err != nil {
				return nil, err
			}
			d = started
		}
	}
	out, err := s.shown(ctx, d.ID)
	return StartDispatch200JSONResponse(out), err
}

// CancelDispatch implements StrictServerInterface.
func (s *Server) CancelDispatch(ctx context.Context, r CancelDispatchRequestObject) (CancelDispatchResponseObject, error) {
	d, err := s.o.Store.Dispatch(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if !d.Status.Terminal() {
		if d, err = s.o.Dispatcher.Cancel(ctx, d.ID); err != nil {
			return nil, err
		}
	}
	out, err := s.shown(ctx, d.ID)
	return CancelDispatch200JSONResponse(out), err
}
