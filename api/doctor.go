package api

import "context"

// Doctor implements StrictServerInterface.
func (s *Server) Doctor(context.Context, DoctorRequestObject) (DoctorResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
