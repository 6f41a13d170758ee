package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/latticed/latticed/graph"
)

// Upload is how much of an asset somebody has sent.
type Upload struct {
	SHA256   string
	Size     int64 // of the whole, bytes
	Received int64 // so many from the beginning are there, also after a crash
	Complete bool  // it is an asset
}

// Upload tells how much there is of what owner uploads; of what others have uploaded it
// knows nothing.
func (s *Store) Upload(ctx context.Context, sha256, owner string) (Upload, error) {
	u, err := s.uploaded(ctx, sha256, owner)
	if !errors.Is(err, ErrNotFound) {
		return u, err
	}
	return s.pieces.find(sha256, owner)
}

// uploaded is an upload that is complete.
func (s *Store) uploaded(ctx context.Context, sha256, owner string) (Upload, error) {
	sha, err := hash(sha256)
	if err != nil {
		return Upload{}, notFound("asset", sha256)
	}
	u := Upload{SHA256: hex.EncodeToString(sha), Complete: true}
	err = s.quick(ctx, func(q querier) error {
		return q.row("SELECT a.size FROM uploads u JOIN assets a ON a.sha256 = u.sha256 WHERE u.sha256 = ? AND u.owner = ?", []any{sha, owner}, &u.Size)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Upload{}, notFound("asset", sha256)
	}
	u.Received = u.Size
	return u, err
}

// PutPiece adds what body holds to an upload, up to its end or to the first error: what
// came until then is kept. The piece that makes it whole makes it an asset, if it has
// the SHA-256 that was said (else *HashError, and nothing is kept). A piece has to begin
// where the last one ended (*OffsetError). When two connections send the same, the
// latter goes on and the former gets ErrTakenOver.
func (s *Store) PutPiece(ctx context.Context, p Piece) (Upload, error) {
	p.SHA256 = strings.ToLower(p.SHA256)
	if u, err := s.uploaded(ctx, p.SHA256, p.Owner); !errors.Is(err, ErrNotFound) {
		return u, err
	}
	u := Upload{SHA256: p.SHA256, Size: p.Size}
	var err error
	u.Received, err = s.pieces.add(ctx, p, s.o, func(path string) error {
		u.Complete = true
		return s.adopt(ctx, path, p)
	})
	if err != nil {
		return Upload{}, fmt.Errorf("store a piece of asset %s: %w", p.SHA256, storageError(err))
	}
	return u, nil
}

// adopt makes an asset of a file that is whole. The file stays until the asset has its
// row, so that a crash in between loses nothing.
func (s *Store) adopt(ctx context.Context, path string, p Piece) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var a graph.NewAsset
	if p.Size <= inlineMax {
		a, err = s.files.stage(ctx, f, p.SHA256)
	} else {
		a, err = s.files.link(ctx, f, p.SHA256)
		if noLink(err) { // assets are on another disk than uploads
			if _, err = f.Seek(0, io.SeekStart); err == nil {
				a, err = s.files.stage(ctx, f, p.SHA256)
			}
		}
	}
	if err != nil {
		return err
	}
	return s.uploadAsset(ctx, a, p.Owner)
}

// uploadAsset gives a staged asset its row, and the upload that keeps it.
func (s *Store) uploadAsset(ctx context.Context, a graph.NewAsset, owner string) error {
	err := s.change(ctx, func(t *tx) error {
		if err := t.insertAsset(&a, 0); err != nil {
			return err
		}
		sha, err := hash(a.SHA256)
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO uploads (sha256, owner, created_by, created_at) VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET created_at = excluded.created_at",
			sha, owner, owner, t.now)
		if err != nil {
			return err
		}
		return t.effect(a.Asset)
	})
	if err != nil {
		s.files.unstage(a)
	}
	return err
}

// ForgetUpload lets go of what owner has uploaded, whole or not: unless something else
// needs it, it is removed. What isn't there is no error.
func (s *Store) ForgetUpload(ctx context.Context, sha256, owner string) error {
	sha, err := hash(sha256)
	if err != nil {
		return notFound("asset", sha256)
	}
	err = s.change(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM uploads WHERE sha256 = ? AND owner = ?", sha, owner)
		if err != nil || n == 0 {
			return err
		}
		return t.removeUnused("sha256 = ?", sha)
	})
	return errors.Join(err, s.pieces.forget(sha256, owner))
}
