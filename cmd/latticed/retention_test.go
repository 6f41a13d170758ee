package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

// All of an old backup is old: who restores it wants to look into it first.
func TestJanitor_leaves_what_was_restored_until_it_goes_on(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	l, err := graph.Parse([]byte("lattice: one\nelectrons: {e: {run: [\"true\"]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, now := t.Context(), time.Now()
	open := func() *store.Store {
		s, err := store.Open(ctx, dir, store.Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	if _, err := s.InsertLattice(ctx, l, true, "anna"); err != nil {
		t.Fatal(err)
	}
	d, err := s.InsertDispatch(ctx, graph.Dispatch{LatticeID: l.ID, Status: graph.Pending, Inputs: []byte("{}"), Owner: "anna", CreatedBy: "anna", RunAs: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.RequestCancel(ctx, d.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "latticed.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES ('held', 1)")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(100 * 24 * time.Hour)
	s = open()
	j := newJanitor(s, Retention{rules: store.Retention{Age: 24 * time.Hour}}, zerolog.Nop())
	j.prune(ctx)
	if _, err := s.Dispatch(ctx, d.ID); err != nil {
		t.Errorf("held: %v", err)
	}
	if _, err := s.EndHold(ctx); err != nil {
		t.Fatal(err)
	}
	j.prune(ctx)
	if _, err := s.Dispatch(ctx, d.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("when it goes on: %v", err)
	}
	if j.pruned().Dispatches != 1 {
		t.Errorf("%+v", j.pruned())
	}
}
