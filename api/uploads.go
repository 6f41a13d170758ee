package api

import "context"

// GetUpload implements StrictServerInterface.
func (s *Server) GetUpload(context.Context, GetUploadRequestObject) (GetUploadResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
