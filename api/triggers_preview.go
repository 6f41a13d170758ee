package api

import (
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
		return nil, err
	}
	return p, nil
}

// previewNew is a dry run of a registration: it is refused as that would be.
func (s *Server) previewNew(ctx context.Context, spec []byte) (CreateTriggerResponseObject, error) {
	var named struct{ Name string }
	if json.Unmarshal(spec, &named) == nil { // else it is said below what is wrong
		t, err := s.o.Store.Trigger(ctx, named.Name)
		switch {
		case err == nil && t.Name == named.Name:
			return nil, &Error{
				Status: http.StatusConflict, Code: "name_taken",
				Detail: "there is a trigger named " + t.Name + " already; to see what an edit of it would do, PATCH or PUT it with dry_run",
			}
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
	}
	p, err := shownPreview(s.o.Triggers.Preview(ctx, spec))
	if err != nil {
		return nil, err
	}
	return p, nil
}

func previewOf(p triggers.Preview) Preview {
	out := Preview{
		Change:    string(p.Change),
		AsIfNew:   p.AsIfNew,
		Timezone:  orNull(p.Timezone),
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
