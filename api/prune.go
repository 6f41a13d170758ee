package api

import "context"

// Prune implements StrictServerInterface.
func (s *Server) Prune(context.Context, PruneRequestObject) (PruneResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
