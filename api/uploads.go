package api

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/latticed/latticed/store"
)

var hexSHA = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-fA-F]{64}$`) })

// PutAsset implements StrictServerInterface.
func (s *Server) PutAsset(ctx context.Context, r PutAssetRequestObject) (PutAssetResponseObject, error) {
	who, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	if s.o.LowDisk != nil && s.o.LowDisk() {
		return nil, &Error{Status: http.StatusInsufficientStorage, Code: codeDiskFull, Detail: "little space is left where the daemon keeps its files; uploads are taken again when there is more"}
	}
	p := r.Params
	q := infoOf(ctx).request.URL.Query()
	switch {
	case p.Sha256 != "" && !hexSHA().MatchString(p.Sha256):
		return nil, invalid(fieldError("sha256", codeWrongValue, "must be 64 hex digits"))
	case !q.Has("size") && q.Has("offset"):
		return nil, invalid(fieldError("size", codeMissing, "is missing: a piece needs the size of the whole"))
	case q.Has("size") && p.Sha256 == "":
		return nil, invalid(fieldError("sha256", codeMissing, "is missing: a piece needs the SHA-256 of the whole"))
	case !q.Has("size"):
		a, err := s.o.Store.PutAsset(ctx, r.Body, p.Sha256, who.Name)
		if err != nil {
			return nil, err
		}
		return PutAsset201JSONResponse{Sha256: a.SHA256, Size: a.Size}, nil
	case p.Size > maxAsset:
		return nil, &http.MaxBytesError{Limit: maxAsset}
	case p.Offset > p.Size:
		return nil, invalid(fieldError("offset", codeWrongValue, "is beyond the size"))
	}
	u, err := s.o.Store.PutPiece(ctx, store.Piece{SHA256: p.Sha256, Size: p.Size, Offset: p.Offset, Owner: who.Name, Body: r.Body})
	switch {
	case err != nil:
		return nil, err
	case u.Complete:
		return PutAsset201JSONResponse{Sha256: u.SHA256, Size: u.Size}, nil
	}
	return PutAsset202JSONResponse(uploadOf(u)), nil
}

// GetUpload implements StrictServerInterface.
func (s *Server) GetUpload(ctx context.Context, r GetUploadRequestObject) (GetUploadResponseObject, error) {
	who, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	if !hexSHA().MatchString(r.Sha256) {
		return nil, notFound("%q is not the SHA-256 of anything", r.Sha256)
	}
	u, err := s.o.Store.Upload(ctx, strings.ToLower(r.Sha256), who.Name)
	if err != nil {
		return nil, err
	}
	return GetUpload200JSONResponse(uploadOf(u)), nil
}

func uploadOf(u store.Upload) Upload {
	return Upload{Sha256: u.SHA256, Size: u.Size, Received: u.Received, Complete: u.Complete}
}
