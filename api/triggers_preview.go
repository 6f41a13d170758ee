package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// previewed is the answer of a dry run.
type previewed Preview

func (p previewed) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(p)
}

// VisitCreateTriggerResponse implements CreateTriggerResponseObject.
func (p previewed) VisitCreateTriggerResponse(w http.ResponseWriter) error { return p.write(w) }

// VisitPutTriggerResponse implements PutTriggerResponseObject.
func (p previewed) VisitPutTriggerResponse(w http.ResponseWriter) error { return p.write(w) }

// VisitPatchTriggerResponse implements PatchTriggerResponseObject.
func (p previewed) VisitPatchTriggerResponse(w http.ResponseWriter) error { return p.write(w) }

// VisitTestTriggerResponse implements TestTriggerResponseObject.
func (p previewed) VisitTestTriggerResponse(w http.ResponseWriter) error { return p.write(w) }

// shownPreview is what a dry run has found, or why it could not.
func shownPreview(p triggers.Preview, err error) (previewed, error) {
	if err != nil {
		return previewed{}, err
	}
	return previewed(previewOf(p)), nil
}

// TestTrigger implements StrictServerInterface.
func (s *Server) TestTrigger(ctx context.Context, r TestTriggerRequestObject) (TestTriggerResponseObject, error) {
	p, err := shownPreview(s.o.Triggers.Test(ctx, r.Trigger))
	if err != nil {
		return nil, s.noTrigger(ctx, r.Trigger, err)
	}
	return p, nil
}

// previewNew is a dry run of a registration: it is refused as that would be.
func (s *Server) previewNew(ctx context.Context, spec []byte) (CreateTriggerResponseObject, error) {
	p, err := shownPreview(s.o.Triggers.Preview(ctx, spec))
	if err != nil {
		return nil, err
	}
	var named struct{ Name string }
	if err := json.Unmarshal(spec, &named); err != nil {
		return nil, invalid(fieldError("", codeInvalidJSON, "%v", err))
	}
	t, err := s.o.Store.Trigger(ctx, named.Name)
	switch {
	case err == nil && t.Name == named.Name:
		return nil, &Error{
			Status: http.StatusConflict, Code: "name_taken",
			Detail: "there is a trigger " + t.Name + " already; PATCH or PUT it with dry_run to see what an edit would do",
		}
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	return p, nil
}

// previewPut is a dry run of a PUT.
func (s *Server) previewPut(ctx context.Context, name string, spec []byte) (PutTriggerResponseObject, error) {
	spec, err := withName(name, spec)
	if err != nil {
		return nil, err
	}
	p, err := shownPreview(s.o.Triggers.Preview(ctx, spec))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// withName gives a spec that leaves its name out that of the route. The rest of it
// stays as it came, so that what is wrong is found where it is.
func withName(name string, spec []byte) ([]byte, error) {
	if err := objectOnly("", spec); err != nil {
		return nil, err
	}
	var in map[string]json.RawMessage
	if err := json.Unmarshal(spec, &in); err != nil {
		return spec, nil // whoever reads it says where
	}
	if raw, there := in["name"]; there {
		var own string
		if json.Unmarshal(raw, &own) == nil && own != name {
			return nil, invalid(fieldError("name", codeWrongValue, "is %q, and the route names the trigger %q; PATCH renames a trigger", own, name))
		}
		return spec, nil
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	more := []byte("{\"name\": ")
	more = append(more, quoted...)
	if len(in) > 0 {
		more = append(more, ',')
	}
	return append(more, bytes.TrimSpace(spec)[1:]...), nil
}

func previewOf(p triggers.Preview) Preview {
	out := Preview{
		Next:      make([]Micros, 0, len(p.Next)),
		WouldFire: make([]WouldFire, 0, len(p.WouldFire)),
		Settling:  make([]Settling, 0, len(p.Settling)),
		Ignored:   make([]Ignored, 0, len(p.Ignored)),
		Counts:    PreviewCounts(p.Counts),
		Warnings:  warningsOf(p.Warnings),
	}
	for _, at := range p.Next {
		out.Next = append(out.Next, Micros(at))
	}
	if c := p.CatchUp; c != nil {
		out.CatchUp = &CatchUp{Missed: c.Missed, WouldRun: c.WouldRun, Since: Micros(c.Since)}
	}
	for _, w := range p.WouldFire {
		out.WouldFire = append(out.WouldFire, WouldFire(w))
	}
	for _, e := range p.Settling {
		out.Settling = append(out.Settling, Settling{Key: e.Key, Until: Micros(e.Until), Why: e.Why})
	}
	for _, e := range p.Ignored {
		out.Ignored = append(out.Ignored, Ignored(e))
	}
	return out
}
