package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// ListElectrons implements StrictServerInterface.
func (s *Server) ListElectrons(ctx context.Context, r ListElectronsRequestObject) (ListElectronsResponseObject, error) {
	statuses, err := words("status", r.Params.Status, graph.Pending, graph.Running, graph.Completed, graph.Failed, graph.Cancelled, graph.Skipped)
	if err != nil {
		return nil, err
	}
	d, err := s.o.Store.Dispatch(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	es, next, err := s.o.Store.Electrons(ctx, d.ID, statuses, r.Params.After, limitOf(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	if err := s.o.Dispatcher.ExplainElectrons(ctx, d, es); err != nil {
		return nil, err
	}
	page := ListElectrons200JSONResponse{Items: make([]Electron, 0, len(es)), Next: orNull(next)}
	for _, e := range es {
		shown, err := s.electronOf(ctx, e)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, shown)
	}
	return page, nil
}

// electron finds one electron of a dispatch.
func (s *Server) electron(ctx context.Context, id, name string) (graph.Dispatch, graph.Electron, error) {
	d, err := s.o.Store.Dispatch(ctx, id)
	if err != nil {
		return d, graph.Electron{}, err
	}
	e, err := s.o.Store.Electron(ctx, d.ID, name)
	if err != nil {
		return d, e, err
	}
	es := []graph.Electron{e}
	err = s.o.Dispatcher.ExplainElectrons(ctx, d, es)
	return d, es[0], err
}

// GetElectron implements StrictServerInterface.
func (s *Server) GetElectron(ctx context.Context, r GetElectronRequestObject) (GetElectronResponseObject, error) {
	_, e, err := s.electron(ctx, r.ID, r.Electron)
	if err != nil {
		return nil, err
	}
	out, err := s.electronOf(ctx, e)
	return GetElectron200JSONResponse(out), err
}

// GetElectronResult implements StrictServerInterface.
func (s *Server) GetElectronResult(ctx context.Context, r GetElectronResultRequestObject) (GetElectronResultResponseObject, error) {
	_, e, err := s.electron(ctx, r.ID, r.Electron)
	if err != nil {
		return nil, err
	}
	if e.Result == nil {
		return nil, &Error{Status: http.StatusNotFound, Code: "no_result", Detail: "electron " + e.Name + " is " + string(e.Status) + " and has no result"}
	}
	raw, err := s.asset(ctx, e.Result.SHA256)
	if err != nil {
		return nil, err
	}
	return value(raw), nil
}

// value is a JSON value as it stands.
type value []byte

// VisitGetElectronResultResponse implements GetElectronResultResponseObject.
func (v value) VisitGetElectronResultResponse(w http.ResponseWriter) error { return v.write(w) }

// VisitOpenapiResponse implements OpenapiResponseObject.
func (v value) VisitOpenapiResponse(w http.ResponseWriter) error { return v.write(w) }

func (v value) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(v)
	return err
}

// GetElectronFile implements StrictServerInterface.
func (s *Server) GetElectronFile(ctx context.Context, r GetElectronFileRequestObject) (GetElectronFileResponseObject, error) {
	_, e, err := s.electron(ctx, r.ID, r.Electron)
	if err != nil {
		return nil, err
	}
	a, ok := e.Files[r.File]
	if !ok {
		known := make([]string, 0, len(e.Files))
		for name := range e.Files {
			known = append(known, name)
		}
		if len(known) == 0 {
			return nil, notFound("electron %s is %s and has no files", e.Name, e.Status)
		}
		return nil, notFound("electron %s has no file %q%s", e.Name, r.File, meant(r.File, known))
	}
	f, err := s.o.Store.OpenAsset(ctx, a.SHA256)
	if err != nil {
		return nil, err
	}
	return file{f, r.File, a.SHA256, infoOf(ctx).request}, nil
}

// file is stored bytes; ranges and If-None-Match are served.
type file struct {
	io.ReadSeekCloser
	name    string
	sha256  string
	request *http.Request
}

// VisitGetElectronFileResponse implements GetElectronFileResponseObject.
func (f file) VisitGetElectronFileResponse(w http.ResponseWriter) error {
	defer func() { _ = f.Close() }()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+strings.ReplaceAll(f.name, `"`, "")+`"`)
	w.Header().Set("Etag", `"`+f.sha256+`"`)
	http.ServeContent(w, f.request, "", time.Time{}, f)
	return nil
}
