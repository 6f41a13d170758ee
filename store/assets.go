package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/latticed/latticed/graph"
)

// inlineMax is the size up to which an asset is a column instead of a file.
const inlineMax = 16 << 10

// StageAsset makes the bytes durable; they count once a Step names them. Small ones
// come back with their bytes and become durable with the Step.
func (s *Store) StageAsset(ctx context.Context, r io.Reader) (graph.NewAsset, error) {
	a, err := s.files.stage(ctx, r, "")
	if err != nil {
		return a, fmt.Errorf("store an asset: %w", storageError(err))
	}
	return a, nil
}

// PutAsset stores an upload; with declared, the bytes must have that SHA-256
// (*HashError). It may wait Options.UploadAge for a lattice that includes it.
func (s *Store) PutAsset(ctx context.Context, r io.Reader, declared, owner string) (graph.Asset, error) {
	a, err := s.files.stage(ctx, r, declared)
	if err != nil {
		return graph.Asset{}, fmt.Errorf("store an asset: %w", storageError(err))
	}
	if err := s.uploadAsset(ctx, a, owner); err != nil {
		return graph.Asset{}, fmt.Errorf("store asset %s: %w", a.SHA256, err)
	}
	return a.Asset, nil
}

// OpenAsset opens stored bytes.
func (s *Store) OpenAsset(ctx context.Context, sha256 string) (io.ReadSeekCloser, error) {
	sha, err := hash(sha256)
	if err != nil {
		return nil, notFound("asset", sha256)
	}
	var row assetRow
	err = s.quick(ctx, func(q querier) error {
		return q.row("SELECT size, data FROM assets WHERE sha256 = ?", []any{sha}, &row.Size, &row.Data)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("asset", sha256)
	}
	if err != nil {
		return nil, err
	}
	if row.Data != nil || row.Size == 0 {
		return inlineAsset{bytes.NewReader(row.Data)}, nil
	}
	f, err := os.Open(s.files.path(sha256))
	if err != nil {
		return nil, fmt.Errorf("asset %s is lost: %w", sha256, err)
	}
	return f, nil
}

type inlineAsset struct{ *bytes.Reader }

func (inlineAsset) Close() error { return nil }

// insertAsset inserts an asset unless it is known, and counts places that name it.
func (t *tx) insertAsset(a *graph.NewAsset, refs int64) error {
	sha, err := hash(a.SHA256)
	if err != nil {
		return err
	}
	var data any = a.Data
	if a.Data == nil && a.Size > 0 {
		data = nil
		if err := t.w.s.files.check(a); err != nil {
			return err
		}
		staged := *a
		t.after(func() { t.w.s.files.unstage(staged) })
	}
	_, err = t.exec("INSERT INTO assets (sha256, size, refs, created_at, data) VALUES (?,?,?,?,?) ON CONFLICT (sha256) DO UPDATE SET refs = refs + excluded.refs",
		sha, a.Size, refs, t.now, data)
	return err
}

// referAsset counts places that name an asset that is stored already.
func (t *tx) referAsset(sha256 string, n int64) error {
	sha, err := hash(sha256)
	if err != nil {
		return err
	}
	changed, err := t.exec("UPDATE assets SET refs = refs + ? WHERE sha256 = ?", n, sha)
	if err == nil && changed == 0 {
		err = notFound("asset", sha256)
	}
	return err
}

// dropAsset takes back n places, and the asset when nothing needs it any more.
func (t *tx) dropAsset(sha []byte, n int64) error {
	if _, err := t.exec("UPDATE assets SET refs = refs - ? WHERE sha256 = ?", n, sha); err != nil {
		return err
	}
	return t.removeUnused("sha256 = ?", sha)
}

// removeUnused deletes assets that nothing names, with their files after the commit.
func (t *tx) removeUnused(where string, args ...any) error {
	var files []string
	err := t.rows(`DELETE FROM assets WHERE refs = 0 AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.sha256 = assets.sha256) AND `+where+
		` RETURNING sha256, size, data IS NULL AND size > 0`, args, func(r rowScanner) error {
		var sha []byte
		var size int64
		var inFile bool
		if err := r.Scan(&sha, &size, &inFile); err != nil {
			return err
		}
		t.freed += size
		if inFile {
			files = append(files, hex.EncodeToString(sha))
		}
		return nil
	})
	for _, f := range files {
		t.after(func() { t.w.s.files.remove(f) })
	}
	return err
}

// sum hashes while it copies.
func sum(ctx context.Context, w io.Writer, r io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), &ctxReader{ctx, r})
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// ctxReader stops a copy when its context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
