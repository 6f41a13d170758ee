package api

import "context"

// CreateSweep implements StrictServerInterface.
func (s *Server) CreateSweep(context.Context, CreateSweepRequestObject) (CreateSweepResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
