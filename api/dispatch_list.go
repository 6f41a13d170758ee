package api

import (
	"context"
	"net/url"
	"strings"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

// ListDispatches implements StrictServerInterface.
func (s *Server) ListDispatches(ctx context.Context, r ListDispatchesRequestObject) (ListDispatchesResponseObject, error) {
	f, err := filterOf(r.Params, infoOf(ctx).request.URL.Query())
	if err != nil {
		return nil, err
	}
	ds, next, err := s.o.Store.Dispatches(ctx, f)
	if err != nil {
		return nil, err
	}
	page := ListDispatches200JSONResponse{Items: make([]Dispatch, 0, len(ds)), Next: orNull(next)}
	for _, d := range ds {
		s.o.Dispatcher.Explain(&d)
		page.Items = append(page.Items, dispatchOf(d))
	}
	return page, nil
}

func filterOf(p ListDispatchesParams, q url.Values) (store.DispatchFilter, error) {
	f := store.DispatchFilter{
		Lattice: p.Lattice, Trigger: p.Trigger, Owner: p.Owner, Query: p.Q,
		Parent: p.Parent, Root: p.Root, Limit: limitOf(p.Limit), After: p.After,
	}
	var err error
	if f.Status, err = words("status", p.Status, graph.New, graph.Pending, graph.Running, graph.Completed, graph.Failed, graph.Cancelled); err != nil {
		return f, err
	}
	if f.Labels, err = labelsOf(p.Label); err != nil {
		return f, err
	}
	if f.Since, err = instant("since", p.Since); err != nil {
		return f, err
	}
	if f.Until, err = instant("until", p.Until); err != nil {
		return f, err
	}
	switch p.Order {
	case "", "newest":
	case "oldest":
		f.Ascending = true
	default:
		return f, invalid(fieldError("order", codeWrongValue, "must be newest or oldest, not %q", p.Order))
	}
	for name, values := range q {
		if key, ok := strings.CutPrefix(name, inputPrefix); ok {
			if key == "" || len(values) != 1 {
				return f, invalid(fieldError(name, codeWrongValue, "must be input.NAME=VALUE, each name once"))
			}
			if f.Inputs == nil {
				f.Inputs = map[string]string{}
			}
			f.Inputs[key] = values[0]
		}
	}
	return f, nil
}

func labelsOf(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, invalid(fieldError("label", codeWrongValue, "must be label=KEY=VALUE, not %q", pair))
		}
		out[k] = v
	}
	return out, nil
}
