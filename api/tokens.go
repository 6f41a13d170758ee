package api

import "context"

// ListTokens implements StrictServerInterface.
func (s *Server) ListTokens(context.Context, ListTokensRequestObject) (ListTokensResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}

// CreateToken implements StrictServerInterface.
func (s *Server) CreateToken(context.Context, CreateTokenRequestObject) (CreateTokenResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}

// RevokeToken implements StrictServerInterface.
func (s *Server) RevokeToken(context.Context, RevokeTokenRequestObject) (RevokeTokenResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
