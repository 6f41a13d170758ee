package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

const (
	maxWait        = 60 * time.Second
	shownElectrons = 200 // of one dispatch
)

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
	s.changed(ctx, "dispatch removed", keyDispatch, d.ID)
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
	if r.Body != nil && r.Body.Electrons != nil {
		return s.cancelElectrons(ctx, d.ID, r.Body.Electrons)
	}
	if !d.Status.Terminal() {
		if d, err = s.o.Dispatcher.Cancel(ctx, d.ID); err != nil {
			return nil, err
		}
		s.changed(ctx, "dispatch asked to cancel", keyDispatch, d.ID)
	}
	out, err := s.shown(ctx, d.ID)
	return CancelDispatch200JSONResponse(out), err
}

// cancelElectrons cancels a part of a dispatch.
func (s *Server) cancelElectrons(ctx context.Context, id string, named []string) (CancelDispatchResponseObject, error) {
	if len(named) == 0 {
		return nil, invalid(fieldError("electrons", codeWrongValue, "name at least one electron, or leave it out for all"))
	}
	if _, err := s.o.Dispatcher.CancelElectrons(ctx, id, named); err != nil {
		return nil, err
	}
	s.changed(ctx, "electrons asked to cancel", keyDispatch, id)
	out, err := s.shown(ctx, id)
	return CancelDispatch200JSONResponse(out), err
}
