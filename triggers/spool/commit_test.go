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
	reads := func(statements ...string) {
		t.Helper()
		for _, q := range statements {
			if _, err := reader.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	reads("BEGIN", "SELECT count(*) FROM events")
	if err := s.Emit(t.Context(), events("b")); err == nil {
		t.Fatal("it was stored beside a reader")
	}
	reads("COMMIT")
	s.mustEmit(t, events("b", "c"))
	if got := s.takeAll(t); len(got) != 3 {
		t.Errorf("delivered %v", got)
	}
}
