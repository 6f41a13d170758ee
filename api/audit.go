package api

import "context"

// ListAudit implements StrictServerInterface.
func (s *Server) ListAudit(context.Context, ListAuditRequestObject) (ListAuditResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
