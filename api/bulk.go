package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

const (
	defaultBulk = 100    // dispatches, unless more are allowed
	maxBulk     = 10_000 // that may be allowed
	shownBulk   = 1000   // of them in the answer
)

// BulkCancel implements StrictServerInterface.
func (s *Server) BulkCancel(ctx context.Context, r BulkCancelRequestObject) (BulkCancelResponseObject, error) {
	f, err := toCancel(r.Body.Where)
	if err != nil {
		return nil, err
	}
	if r.Body.DryRun {
		found, err := s.found(ctx, f, r.Body.Max)
		return BulkCancel200JSONResponse(bulkDone(found)), err
	}
	ctx, call, done, err := s.turn(ctx, r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	defer done()
	if call.answer != nil {
		return call.saved(), nil
	}
	found, err := s.found(ctx, f, r.Body.Max)
	if err != nil {
		return nil, err
	}
	out, err := s.cancelAll(ctx, found)
	if err != nil {
		return nil, err
	}
	if s.conclude(ctx, call, http.StatusOK, out) {
		return call.saved(), nil
	}
	return BulkCancel200JSONResponse(out), nil
}

// cancelAll asks what was found to end, newest first.
func (s *Server) cancelAll(ctx context.Context, found []store.Found) (BulkDone, error) {
	gs, changed, err := s.o.Dispatcher.CancelAll(ctx, idsOf(found))
	if len(changed) > 0 {
		s.changed(ctx, "dispatches asked to cancel", "count", strconv.Itoa(len(changed)))
	}
	if err != nil {
		return BulkDone{}, err
	}
	now := make(map[string]graph.Dispatch, len(gs))
	for _, g := range gs {
		now[g.ID] = g
	}
	out := bulkDone(found)
	out.Done = len(changed)
	out.Items = make([]BulkItem, 0, len(found))
	for _, f := range found {
		item := itemOf(f)
		if g, there := now[f.ID]; there {
			item.Status = string(g.Status)
		} else {
			out.Refused++
			item.Error = "it was removed meanwhile"
		}
		out.Items = append(out.Items, item)
	}
	out.Items = firstItems(out.Items)
	return out, nil
}

// BulkRedispatch implements StrictServerInterface.
func (s *Server) BulkRedispatch(ctx context.Context, r BulkRedispatchRequestObject) (BulkRedispatchResponseObject, error) {
	b := r.Body
	f, err := toFilter(b.Where)
	if err != nil {
		return nil, err
	}
	req := dispatcher.BulkRequest{Limit: b.MaxInFlight}
	if req.Request, err = s.request(ctx, b.Inputs, b.Labels, b.Note); err != nil {
		return nil, err
	}
	req.Unset, req.Reuse = b.Unset, b.ReusePreviousResults
	var found []store.Found
	var plan *dispatcher.BulkPlan
	if b.DryRun {
		if found, plan, err = s.planBulk(ctx, f, b.Max, req); err != nil {
			return nil, err
		}
		return BulkRedispatch200JSONResponse(redispatched(found, plan, nil)), nil
	}
	ctx, call, err := s.once(ctx, r.Params.IdempotencyKey, func(v any) (int, any, bool) {
		ds, ok := v.([]graph.Dispatch)
		if !ok {
			return 0, nil, false
		}
		return http.StatusOK, redispatched(found, plan, ds), true
	})
	if err != nil {
		return nil, err
	}
	if call.answer != nil {
		return call.saved(), nil
	}
	if found, plan, err = s.planBulk(ctx, f, b.Max, req); err != nil {
		return nil, err
	}
	if len(plan.Dispatches) == 0 {
		return BulkRedispatch200JSONResponse(redispatched(found, plan, nil)), nil
	}
	ds, err := s.o.Dispatcher.Sweep(ctx, &plan.SweepPlan)
	if call.replayed(err) {
		return call.saved(), nil
	}
	if err != nil {
		return nil, err
	}
	return BulkRedispatch200JSONResponse(redispatched(found, plan, ds)), nil
}

func (s *Server) planBulk(ctx context.Context, f store.DispatchFilter, most int, req dispatcher.BulkRequest) ([]store.Found, *dispatcher.BulkPlan, error) {
	found, err := s.found(ctx, f, most)
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(found) // as they were made, so they run again
	plan, err := s.o.Dispatcher.PlanBulk(ctx, idsOf(found), req)
	return found, plan, err
}

// redispatched shows what was found and what was made of it; ds is nil when nothing was.
func redispatched(found []store.Found, p *dispatcher.BulkPlan, ds []graph.Dispatch) BulkDone {
	made := make(map[string]int64, len(ds))
	for _, d := range ds {
		made[d.ParentID] = d.Number
	}
	out := BulkDone{Found: len(found), Done: len(ds), Refused: len(p.Refused), Items: make([]BulkItem, 0, len(found))}
	if len(ds) > 0 {
		out.Label = sweepLabel(ds)
	}
	for _, f := range found {
		item := itemOf(f)
		item.Made = made[f.ID]
		if err := p.Refused[f.ID]; err != nil {
			item.Error = err.Error()
		}
		out.Items = append(out.Items, item)
	}
	out.Items = firstItems(out.Items)
	return out
}

// found looks for dispatches, and refuses to be about more than were allowed.
func (s *Server) found(ctx context.Context, f store.DispatchFilter, most int) ([]store.Found, error) {
	switch {
	case most == 0:
		most = defaultBulk
	case most < 0 || most > maxBulk:
		return nil, invalid(fieldError("max", codeWrongValue, "must be between 1 and %d, not %d", maxBulk, most))
	}
	found, n, err := s.o.Store.Find(ctx, f, most, maxBulk+1)
	if err != nil || n <= most {
		return found, err
	}
	said := strconv.Itoa(n)
	if n > maxBulk {
		said = fmt.Sprintf("more than %d", maxBulk)
	}
	return nil, &Error{
		Status: http.StatusConflict, Code: "too_many_found", Found: n,
		Detail: fmt.Sprintf("the filter finds %s dispatches, and at most %d were allowed; narrow it, or raise max, which can be %d", said, most, maxBulk),
	}
}

// toFilter reads where; without any condition it would be everything.
func toFilter(w Where) (store.DispatchFilter, error) {
	p := ListDispatchesParams{
		Status: w.Status, Lattice: w.Lattice, Trigger: w.Trigger, Owner: w.Owner, Q: w.Q,
		Parent: w.Parent, Since: w.Since, Until: w.Until,
	}
	f, err := filterOf(p, nil)
	if err != nil {
		return f, within("where", err)
	}
	f.Labels = w.Label
	if given(w.Input) {
		if f.Inputs, err = inputFilter(w.Input); err != nil {
			return f, err
		}
	}
	if len(f.Status)+len(f.Labels)+len(f.Inputs) == 0 && f.Since.IsZero() && f.Until.IsZero() &&
		f.Lattice+f.Trigger+f.Owner+f.Query+f.Parent == "" {
		return f, invalid(fieldError("where", codeMissing, "name at least one condition: this would be about everything"))
	}
	return f, nil
}

// inputFilter takes text as it is, and other values as JSON.
func inputFilter(raw Values) (map[string]string, error) {
	if err := objectOnly("where.input", raw); err != nil {
		return nil, err
	}
	v, err := graph.DecodeValue(raw)
	if err != nil {
		return nil, invalid(fieldError("where.input", codeInvalidJSON, "%v", err))
	}
	values, _ := v.(map[string]any)
	out := make(map[string]string, len(values))
	for name, v := range values {
		if text, ok := v.(string); ok {
			out[name] = text
			continue
		}
		text, err := graph.Canonical(v)
		if err != nil {
			return nil, invalid(fieldError("where.input."+name, codeWrongValue, "%v", err))
		}
		out[name] = string(text)
	}
	return out, nil
}

// toCancel reads where for a cancellation: what has ended is not found, and what was
// only made, to be started later, when it is named.
func toCancel(w Where) (store.DispatchFilter, error) {
	f, err := toFilter(w)
	if err != nil {
		return f, err
	}
	if len(f.Status) == 0 {
		f.Status = []graph.Status{graph.Pending, graph.Running}
	}
	f.Status = slices.DeleteFunc(f.Status, graph.Status.Terminal)
	if len(f.Status) == 0 {
		return f, invalid(fieldError("where.status", codeWrongValue, "what is %s has ended: there is nothing to cancel", strings.Join(w.Status, " or ")))
	}
	return f, nil
}

// within puts a field's name before those of findings.
func within(field string, err error) error {
	e := judge(err)
	if e == nil || len(e.Errors) == 0 {
		return err
	}
	for i := range e.Errors {
		e.Errors[i].Path = field + "." + e.Errors[i].Path
	}
	return invalid(e.Errors...)
}

// turn begins a request that takes several transactions, none of which has the answer.
func (s *Server) turn(ctx context.Context, key string) (_ context.Context, _ *call, done func(), err error) {
	done = func() {}
	if key != "" {
		who, err := principalOf(ctx)
		if err != nil {
			return ctx, nil, nil, err
		}
		if done, err = s.turns.take(ctx, who.Name+"\n"+infoOf(ctx).route+"\n"+key); err != nil {
			return ctx, nil, nil, err
		}
	}
	ctx, call, err := s.once(ctx, key, func(any) (int, any, bool) { return 0, nil, false })
	if err != nil {
		done()
		return ctx, nil, nil, err
	}
	return ctx, call, done, nil
}

func idsOf(found []store.Found) []string {
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	return ids
}

func itemOf(f store.Found) BulkItem {
	return BulkItem{ID: f.ID, Number: f.Number, Status: string(f.Status)}
}

// bulkDone shows what was found when nothing is done about it yet.
func bulkDone(found []store.Found) BulkDone {
	out := BulkDone{Found: len(found), Items: make([]BulkItem, 0, len(found))}
	for _, f := range found {
		out.Items = append(out.Items, itemOf(f))
	}
	out.Items = firstItems(out.Items)
	return out
}

// firstItems are those that an answer shows: what was refused before the others.
func firstItems(all []BulkItem) []BulkItem {
	slices.SortStableFunc(all, func(a, b BulkItem) int {
		switch {
		case a.Error != "" && b.Error == "":
			return -1
		case a.Error == "" && b.Error != "":
			return 1
		}
		return 0
	})
	return all[:min(shownBulk, len(all))]
}

// VisitBulkCancelResponse implements BulkCancelResponseObject.
func (a saved) VisitBulkCancelResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitBulkRedispatchResponse implements BulkRedispatchResponseObject.
func (a saved) VisitBulkRedispatchResponse(w http.ResponseWriter) error { return a.write(w) }
