package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one numbered file; its name without .sql is its id.
type migration struct{ id, sql, hash string }

// SchemaError means that the database and this program don't fit together.
type SchemaError struct{ Path, Problem string }

func (e *SchemaError) Error() string { return fmt.Sprintf("the database %s %s", e.Path, e.Problem) }

func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	ms := make([]migration, len(names))
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		ms[i] = migration{strings.TrimSuffix(path.Base(name), ".sql"), string(text), hex.EncodeToString(sum[:])}
	}
	return ms, nil
}

// migrate brings the schema up to date. A database that holds something is copied
// beside itself before. One that a newer program wrote is refused, untouched.
func migrate(ctx context.Context, db *gorm.DB, file string, ms []migration) error {
	db = db.WithContext(ctx)
	applied, err := appliedMigrations(db)
	if err != nil {
		return err
	}
	if err := checkApplied(file, applied, ms); err != nil {
		return err
	}
	if len(applied) == len(ms) {
		return nil
	}
	if len(applied) > 0 {
		if err := copyDatabase(db, file+".before-"+ms[len(applied)].id); err != nil {
			return fmt.Errorf("copy the database before migrating it: %w", err)
		}
	}
	steps := make([]*gormigrate.Migration, len(ms))
	for i, m := range ms {
		steps[i] = &gormigrate.Migration{ID: m.id, Migrate: func(tx *gorm.DB) error { return m.run(tx) }}
	}
	o := &gormigrate.Options{TableName: "migrations", IDColumnName: "id", IDColumnSize: 255, UseTransaction: true, ValidateUnknownMigrations: true}
	if err := gormigrate.New(db.WithContext(context.WithoutCancel(ctx)), o, steps).Migrate(); err != nil {
		return fmt.Errorf("migrate %s: %w", file, err)
	}
	return nil
}

func (m migration) run(tx *gorm.DB) error {
	if err := tx.Exec(m.sql).Error; err != nil {
		return fmt.Errorf("%s: %w", m.id, err)
	}
	return tx.Exec("INSERT INTO migration_hashes (id, sha256) VALUES (?, ?)", m.id, m.hash).Error
}

// appliedMigrations returns what ran already, with hashes; nothing when it is new.
func appliedMigrations(db *gorm.DB) (map[string]string, error) {
	var n int64
	if err := db.Raw("SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'").Scan(&n).Error; err != nil || n == 0 {
		return nil, err
	}
	var rows []struct{ ID, SHA256 string }
	err := db.Raw("SELECT m.id AS id, coalesce(h.sha256, '') AS sha256 FROM migrations m LEFT JOIN migration_hashes h ON h.id = m.id").Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	applied := make(map[string]string, len(rows))
	for _, r := range rows {
		applied[r.ID] = r.SHA256
	}
	return applied, nil
}

func checkApplied(file string, applied map[string]string, ms []migration) error {
	known := make(map[string]migration, len(ms))
	for _, m := range ms {
		known[m.id] = m
	}
	for id, hash := range applied {
		m, ok := known[id]
		switch {
		case !ok:
			return &SchemaError{file, "was written by a newer latticed (migration " + id + " is not known here); install that version or a newer one"}
		case m.hash != hash:
			return &SchemaError{file, "has another migration " + id + " than this program; it was made by a build that was never released"}
		}
	}
	for i, m := range ms[:min(len(applied), len(ms))] {
		if _, ok := applied[m.id]; !ok {
			return &SchemaError{file, fmt.Sprintf("lacks migration %s but has later ones than number %d", m.id, i+1)}
		}
	}
	return nil
}

// copyDatabase writes a compact copy and makes it durable.
func copyDatabase(db *gorm.DB, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // of an attempt that failed half-way
	}
	if err := db.Exec("VACUUM INTO ?", to).Error; err != nil {
		return err
	}
	if err := os.Chmod(to, 0o600); err != nil {
		return err
	}
	return syncFile(to)
}
