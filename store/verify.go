package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"gorm.io/gorm"
)

// Verified is what is known of a backup that is whole.
type Verified struct {
	Manifest   Manifest
	Bytes      int64
	Dispatches int64
	Pending    int64 // dispatches that would go on
	Triggers   int64
}

// DamagedError names the file of a backup that is not as it was made.
type DamagedError struct{ File, Problem string }

func (e *DamagedError) Error() string { return e.File + " " + e.Problem }

func damaged(file, format string, args ...any) error {
	return &DamagedError{file, fmt.Sprintf(format, args...)}
}

// Verify reads a whole backup: that each file is as the manifest says, that the database
// is sound, and that all it names is there.
func Verify(ctx context.Context, dir string) (*Verified, error) {
	v, err := verify(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", dir, err)
	}
	return v, nil
}

func verify(ctx context.Context, dir string) (*Verified, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	v := &Verified{Manifest: m}
	files := map[string]int64{}
	for _, f := range m.Files {
		if err := f.check(ctx, filepath.Join(dir, filepath.FromSlash(f.Name))); err != nil {
			return nil, err
		}
		files[f.Name] = f.Size
		v.Bytes += f.Size
	}
	if _, ok := files[databaseName]; !ok {
		return nil, damaged(databaseName, "is not in the manifest")
	}
	if err := nothingElse(dir, files); err != nil {
		return nil, err
	}
	return v, v.database(ctx, dir, files)
}

// nothingElse names what is there and not in the manifest.
func nothingElse(dir string, files map[string]int64) error {
	return filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if _, ok := files[name]; !ok && name != manifestName {
			return damaged(name, "is not in the manifest")
		}
		return nil
	})
}

// check compares a file with what the manifest says.
func (f *BackupFile) check(ctx context.Context, at string) error {
	return f.read(ctx, at, io.Discard)
}

// copy does so while it copies.
func (f *BackupFile) copy(ctx context.Context, from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.read(ctx, from, w), w.Close())
}

func (f *BackupFile) read(ctx context.Context, at string, w io.Writer) error {
	r, err := os.Open(at)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(f.Name, "is missing")
	}
	if err != nil {
		return err
	}
	defer r.Close()
	got, n, err := sum(ctx, w, r)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", f.Name, err)
	case n != f.Size:
		return damaged(f.Name, "has %d bytes instead of %d", n, f.Size)
	case got != strings.ToLower(f.SHA256):
		return damaged(f.Name, "was changed: its SHA-256 is %s instead of %s", got, f.SHA256)
	}
	return nil
}

// database looks whether the database is sound, of a schema that is known here, and
// names no asset that isn't there.
func (v *Verified) database(ctx context.Context, dir string, files map[string]int64) error {
	file := filepath.Join(dir, databaseName)
	db, err := openHandle(frozenDSN(file, Options{}.withDefaults()), 1)
	if err != nil {
		return err
	}
	defer func() { _ = closeHandle(db) }()
	db = db.WithContext(ctx)
	ms, err := migrations()
	if err != nil {
		return err
	}
	for _, look := range []func() error{
		func() error { return sound(db) },
		func() error {
			applied, err := appliedMigrations(db)
			if err == nil && len(applied) == 0 {
				return damaged(databaseName, "is no database of latticed")
			}
			if err != nil {
				return err
			}
			return checkApplied(file, applied, ms)
		},
		func() error {
			return eachFile(ctx, db, func(name string, size int64) error {
				at := path.Join("assets", name[:2], name)
				if got, ok := files[at]; !ok || got != size {
					return damaged(at, "is named by the database and not in the backup as it should be")
				}
				return nil
			})
		},
		func() error { return allNamed(db) },
		func() error {
			return db.Raw(`SELECT count(*), count(*) FILTER (WHERE status = 'pending' OR status = 'running'),
				(SELECT count(*) FROM triggers WHERE removed_at IS NULL) FROM dispatches`).Row().Scan(&v.Dispatches, &v.Pending, &v.Triggers)
		},
	} {
		if err := look(); err != nil {
			var d *DamagedError
			var sc *SchemaError
			if errors.As(err, &d) || errors.As(err, &sc) || ctx.Err() != nil {
				return err
			}
			return damaged(databaseName, "can't be read: %v", err)
		}
	}
	return nil
}

// sound runs SQLite's own checks.
func sound(db *gorm.DB) error {
	var said []string
	if err := db.Raw("PRAGMA integrity_check(3)").Scan(&said).Error; err != nil {
		return err
	}
	if len(said) != 1 || said[0] != "ok" {
		return damaged(databaseName, "is damaged: %s", strings.Join(said, "; "))
	}
	var broken []struct{ Table, Parent string }
	if err := db.Raw("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1").Scan(&broken).Error; err != nil {
		return err
	}
	if len(broken) > 0 {
		return damaged(databaseName, "is damaged: a row of %s names one of %s that isn't there", broken[0].Table, broken[0].Parent)
	}
	return nil
}

// namedAssets finds an asset that a row names and that has no row itself.
const namedAssets = `SELECT lower(hex(sha)) FROM (
	SELECT result AS sha FROM electrons UNION SELECT pickle FROM electrons UNION
	SELECT unhex(f.value ->> 'sha256') FROM electrons e, json_each(e.files) f UNION
	SELECT stdout FROM attempts UNION SELECT stderr FROM attempts UNION
	SELECT stdout FROM electrons UNION SELECT stderr FROM electrons
	) WHERE sha IS NOT NULL AND sha NOT IN (SELECT sha256 FROM assets) LIMIT 1`

// allNamed looks that every asset which is named has its row, and that the small ones,
// which are in their rows, have the bytes they are named by.
func allNamed(db *gorm.DB) error {
	var missing []string
	if err := db.Raw(namedAssets).Scan(&missing).Error; err != nil {
		return err
	}
	if len(missing) > 0 {
		return damaged(databaseName, "names asset %s and does not have it", missing[0])
	}
	rows, err := db.Raw("SELECT sha256, data FROM assets WHERE data IS NOT NULL").Rows()
	return each(rows, err, func(r rowScanner) error {
		var sha, data []byte
		if err := r.Scan(&sha, &data); err != nil {
			return err
		}
		if got := sha256.Sum256(data); string(got[:]) != string(sha) {
			return damaged(databaseName, "holds other bytes than those of asset %x", sha)
		}
		return nil
	})
}
