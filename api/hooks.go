package api

import "context"

// GetHook implements StrictServerInterface.
func (s *Server) GetHook(context.Context, GetHookRequestObject) (GetHookResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}

// DeliverHook implements StrictServerInterface.
func (s *Server) DeliverHook(context.Context, DeliverHookRequestObject) (DeliverHookResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
