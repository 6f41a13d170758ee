package api

import "context"

// BulkCancel implements StrictServerInterface.
func (s *Server) BulkCancel(context.Context, BulkCancelRequestObject) (BulkCancelResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}

// BulkRedispatch implements StrictServerInterface.
func (s *Server) BulkRedispatch(context.Context, BulkRedispatchRequestObject) (BulkRedispatchResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
