package api

import (
	"context"
	"net/http"
)

// Backup implements StrictServerInterface.
func (s *Server) Backup(ctx context.Context, _ BackupRequestObject) (BackupResponseObject, error) {
	return backup{s, ctx}, nil
}

// backup is an answer that is written as it is made. When something fails in the middle
// it breaks off, without the manifest that would make it whole.
type backup struct {
	s   *Server
	ctx context.Context
}

// VisitBackupResponse implements BackupResponseObject.
func (b backup) VisitBackupResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/x-tar")
	err := b.s.o.Store.Backup(b.ctx, w, b.s.o.Version)
	if err == nil {
		b.s.changed(b.ctx, "backed up", keyStatus, "done")
	}
	return err
}
