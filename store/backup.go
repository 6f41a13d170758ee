package store

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"
)

// backupPrefix begins the names of folders in the state directory that hold a snapshot.
const backupPrefix = "backup-"

// Backup writes a tar of the database and the assets as they are at one moment, and a
// manifest of them at its end. Others go on writing meanwhile; files that they let go of
// stay until it is over. It needs room for a copy of the database in the state directory.
func (s *Store) Backup(ctx context.Context, w io.Writer, version string) error {
	if err := s.backup(ctx, w, version); err != nil {
		return fmt.Errorf("back up: %w", storageError(err))
	}
	return nil
}

func (s *Store) backup(ctx context.Context, w io.Writer, version string) (err error) {
	s.files.hold()
	defer func() {
		if e := s.letGo(context.WithoutCancel(ctx)); err == nil {
			err = e
		}
	}()
	dir, err := os.MkdirTemp(s.dir, backupPrefix)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is removed at the next start
	m := Manifest{Format: manifestForm, CreatedAt: s.o.Now().UTC(), Version: version}
	copied := filepath.Join(dir, databaseName)
	if err := roomFor(s.dir, s.Stats().DBBytes); err != nil { // it must not fill the disk of others
		return err
	}
	if err := s.snapshotInto(ctx, copied); err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	if err := m.add(ctx, tw, copied, databaseName, ""); err != nil {
		return err
	}
	db, err := openHandle(frozenDSN(copied, s.o), 1)
	if err != nil {
		return err
	}
	defer func() { _ = closeHandle(db) }()
	err = eachFile(ctx, db, func(name string, _ int64) error {
		return m.add(ctx, tw, s.files.path(name), path.Join("assets", name[:2], name), name)
	})
	if err != nil {
		return err
	}
	text, err := m.sealed()
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(header(manifestName, int64(len(text)), m.CreatedAt)); err != nil {
		return err
	}
	if _, err := tw.Write(text); err != nil {
		return err
	}
	return tw.Close()
}

// snapshotInto writes a compact copy of the database as it is at one moment. It has a
// connection of its own: those of readers write nowhere.
func (s *Store) snapshotInto(ctx context.Context, file string) error {
	db, err := openHandle(dsn(filepath.Join(s.dir, databaseName), "ro", s.o), 1)
	if err != nil {
		return err
	}
	return errors.Join(db.WithContext(ctx).Exec("VACUUM INTO ?", file).Error, closeHandle(db))
}

func header(name string, size int64, at time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at, Format: tar.FormatPAX}
}

// add writes a file into the tar and the manifest; with want, it must have that hash.
func (m *Manifest) add(ctx context.Context, tw *tar.Writer, from, name, want string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(header(name, info.Size(), m.CreatedAt)); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(tw, h), &ctxReader{ctx, f}, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	got := hex.EncodeToString(h.Sum(nil))
	if want != "" && got != want {
		return fmt.Errorf("asset %s is damaged: its bytes have SHA-256 %s", want, got)
	}
	m.Files = append(m.Files, BackupFile{Name: name, Size: info.Size(), SHA256: got})
	return nil
}

// sweepBackups removes what an interrupted backup left.
func sweepBackups(dir string) error { return removeNamed(dir, backupPrefix) }
