package api

import "context"

// Backup implements StrictServerInterface.
func (s *Server) Backup(context.Context, BackupRequestObject) (BackupResponseObject, error) {
	return nil, &Error{Status: 501, Code: "not_built", Detail: "this route is being built"}
}
