package api

import "context"

// GetHold implements StrictServerInterface.
func (s *Server) GetHold(context.Context, GetHoldRequestObject) (GetHoldResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}

// EndHold implements StrictServerInterface.
func (s *Server) EndHold(context.Context, EndHoldRequestObject) (EndHoldResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
