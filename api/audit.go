package api

import (
	"context"
	"slices"

	"github.com/latticed/latticed/store"
)

// ListAudit implements StrictServerInterface.
func (s *Server) ListAudit(ctx context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	since, err := instant("since", r.Params.Since)
	if err != nil {
		return nil, err
	}
	until, err := instant("until", r.Params.Until)
	if err != nil {
		return nil, err
	}
	actions, err := words("action", r.Params.Action, audited()...)
	if err != nil {
		return nil, err
	}
	entries, next, err := s.o.Store.AuditPage(ctx, store.AuditFilter{
		Principal: r.Params.Principal, Object: r.Params.Object, Actions: actions, Since: since, Until: until,
		Limit: limitOf(r.Params.Limit), After: r.Params.After,
	})
	if err != nil {
		return nil, err
	}
	page := ListAudit200JSONResponse{Items: make([]AuditEntry, 0, len(entries)), Next: orNull(next)}
	for _, e := range entries {
		page.Items = append(page.Items, AuditEntry{
			At: Micros(e.At), Principal: e.Principal, Via: e.Via, Remote: e.Remote, Action: e.Action, Object: e.Object, Status: e.Status,
		})
	}
	return page, nil
}

// audited are the operations that leave an entry.
func audited() (all []string) {
	for name, a := range accesses() {
		if a.changes != 0 {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
