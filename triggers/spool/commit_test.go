package spool

import (
	"path/filepath"
	"testing"
)

// A reader, such as a program that backs up the home directory, keeps a commit waiting
// for longer than we wait for it.
func TestSpool_goes_on_after_a_commit_that_failed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openAt(t, dir, Options{})
	s.mustEmit(t, events("a"))
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	reader, err := open(file(dir), "ro")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	rows, err := reader.QueryContext(t.Context(), "SELECT n FROM events UNION ALL SELECT 1")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if err := s.Emit(t.Context(), events("b")); err == nil {
		t.Fatal("it was stored beside a reader")
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	s.mustEmit(t, events("b", "c"))
	if got := s.takeAll(t); len(got) != 3 {
		t.Errorf("delivered %v", got)
	}
}
