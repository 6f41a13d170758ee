package database

import (
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/latticed/latticed/triggers"
)

// configOf reads the fields of a trigger on a file.
func configOf(t testing.TB, fields map[string]any) config {
	t.Helper()
	made, err := triggers.Make(newPool(Options{}).makeSQLite, fields)
	if err != nil {
		t.Fatal(err)
	}
	return made.Source.(*source).config
}

// begun is the cursor of a trigger that begins now.
func begun(t testing.TB, s *source) json.RawMessage {
	t.Helper()
	b, err := s.next(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(b.cursor)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// openForTest opens a file in this process, to make it.
func openForTest(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
