package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// What somebody keeps outlives every rule, until nobody keeps it any more.
func TestKeep_outlives_prune(t *testing.T) {
	v := newVictim(t)
	v.start()
	v.storeLattice("one", map[string]any{}, map[string]any{"run": []string{"true"}})
	for range 3 {
		v.says("dispatch", "one", "--wait")
	}
	v.says("keep", "1", "2")
	v.says("keep", "2", "--off")
	for number, want := range map[string]bool{"1": true, "2": false} {
		if got := v.says("show", number); strings.Contains(got, "\nkept ") != want {
			t.Errorf("%s", got)
		}
	}
	v.stop()
	db, err := sql.Open("sqlite", filepath.Join(v.state(), "latticed.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "UPDATE dispatches SET created_at = created_at - 3600000000, ended_at = ended_at - 3600000000")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	v.start()
	if got, want := v.says("prune", "--age", "30m", "--dry-run"), "would go: 2 dispatches with "; !strings.HasPrefix(got, want) {
		t.Errorf("%s", got)
	}
	if got := v.says("prune", "--age", "30m"); !strings.HasPrefix(got, "gone: 2 dispatches with ") || !strings.Contains(got, "staying although old enough: 1 dispatch, marked keep") {
		t.Errorf("%s", got)
	}
	if got := v.says("list"); strings.Count(got, "one") != 1 || !strings.Contains(got, "\n1 ") {
		t.Errorf("%s", got)
	}
}
