package api

import (
	"context"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// Explain implements StrictServerInterface.
func (s *Server) Explain(ctx context.Context, r ExplainRequestObject) (ExplainResponseObject, error) {
	p := r.Params
	var found []FieldError
	switch {
	case p.Path == "" && p.Dispatch == "":
		found = append(found, fieldError("path", codeMissing, "give a path, or a dispatch"))
	case p.Path != "" && p.Dispatch != "":
		found = append(found, fieldError("dispatch", codeWrongValue, "give a path or a dispatch, not both"))
	case p.Dispatch != "" && p.Trigger != "":
		found = append(found, fieldError("trigger", codeWrongValue, "goes with path: a dispatch has one trigger at most"))
	}
	if len(found) > 0 {
		return nil, invalid(found...)
	}
	if p.Dispatch != "" {
		e, err := s.explainDispatch(ctx, p.Dispatch)
		if err != nil {
			return nil, err
		}
		return Explain200JSONResponse{Items: []Explanation{e}}, nil
	}
	return s.explainPath(ctx, p)
}

// explainPath says how a path stands with the triggers that watch it, by name.
func (s *Server) explainPath(ctx context.Context, p ExplainParams) (ExplainResponseObject, error) {
	path, err := absolute(p.Path)
	if err != nil {
		return nil, err
	}
	all, next, err := s.explanations(ctx, path, p)
	if err != nil {
		return nil, err
	}
	page := Explain200JSONResponse{Items: []Explanation{}, Next: orNull(next)}
	if p.After == "" {
		hint, err := s.uncovered(ctx, path, p.Trigger, all)
		if err != nil {
			return nil, err
		}
		page.Hint = orNull(hint)
	}
	for _, x := range all {
		e, err := s.explained(ctx, path, x)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, e)
	}
	return page, nil
}

// explanations are how a path stands with one trigger, or with a page of those that
// watch it. The cursor is the name of the last one.
func (s *Server) explanations(ctx context.Context, path string, p ExplainParams) (all []triggers.Explanation, next string, err error) {
	switch {
	case p.After != "" && !isName(p.After):
		return nil, "", store.ErrCursor
	case p.Trigger != "":
		if _, err := s.trigger(ctx, p.Trigger); err != nil {
			return nil, "", err
		}
		all, err = s.o.Triggers.Explain(ctx, path, p.Trigger)
		return all, "", err
	}
	all, more, err := s.o.Triggers.ExplainPage(ctx, path, p.After, limitOf(p.Limit))
	if more && len(all) > 0 {
		next = all[len(all)-1].Trigger.Name
	}
	return all, next, err
}

// explained shows how a path stands with one trigger, and what came of it.
func (s *Server) explained(ctx context.Context, path string, x triggers.Explanation) (Explanation, error) {
	t := s.o.Triggers.Live(x.Trigger)
	story, err := s.storyOf(ctx, x.Events)
	if err != nil {
		return Explanation{}, err
	}
	f := x.Finding
	return Explanation{
		Trigger: triggerRefOf(t),
		Finding: &Finding{
			State: f.State, Detail: f.Detail, Unit: orNull(f.Unit),
			FirstSeen: Micros(f.FirstSeen), LastChange: Micros(f.LastChange), Until: Micros(f.Until),
		},
		Events: story.shown(),
		Text:   harmless(pathSentence(path, t, f, story)),
	}, nil
}

func triggerRefOf(t triggers.Trigger) *TriggerRef {
	return &TriggerRef{ID: t.ID, Name: t.Name, Kind: t.Kind, State: string(t.State), Reason: orNull(t.Reason)}
}
