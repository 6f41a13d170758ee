package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func wantConflict(t *testing.T, err error, code string) {
	t.Helper()
	var c *ConflictError
	if !errors.As(err, &c) || c.Code != code || c.Message == "" {
		t.Errorf("got %v, want %s", err, code)
	}
}

// withAssets runs a dispatch to its end with assets of both kinds, some of them shared.
func withAssets(t *testing.T, s *Store, l *graph.Lattice, mark string) graph.Dispatch {
	t.Helper()
	d := claimed(t, s, l)
	advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
	stage := func(b []byte) graph.NewAsset { return must(s.StageAsset(t.Context(), bytes.NewReader(b)))(t) }
	own, shared := stage([]byte("own "+mark)), stage([]byte("shared"))
	large, largeShared := stage(bytes.Repeat([]byte(mark), 1<<16)), stage(bytes.Repeat([]byte("s"), 1<<17))
	e := end(0, 1, "a", graph.Completed)
	e.Stdout, e.Stderr = &shared.Asset, &shared.Asset
	c := change(0, graph.Running, graph.Completed)
	c.Result, c.Pickle = &own.Asset, &largeShared.Asset
	c.Files = map[string]graph.Asset{"plot": large.Asset, "again": large.Asset, "log": shared.Asset}
	advance(t, s, graph.Step{
		Dispatch: d.ID, Assets: []graph.NewAsset{own, shared, large, largeShared}, Ends: []graph.AttemptEnd{e},
		Electrons: []graph.ElectronChange{c}, Finish: &graph.DispatchEnd{Status: graph.Completed},
	})
	return d
}

func TestDeleteDispatch(t *testing.T) {
	t.Run("everything of it goes, and what others need stays", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		d := dispatchOf(l)
		d.Labels = map[string]string{"a": "b"}
		first, second := withAssets(t, s, l, "1"), withAssets(t, s, l, "2")
		labelled := cancelled(t, s, insert(t, s, d))
		if rows(t, s, "assets") != 6 || len(filesOf(t, s)) != 3 {
			t.Fatalf("%d assets, %d files", rows(t, s, "assets"), len(filesOf(t, s)))
		}
		seq := s.Seq()
		if err := s.DeleteDispatch(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		if rows(t, s, "assets") != 4 || len(filesOf(t, s)) != 2 || rows(t, s, "electrons") != 1 || rows(t, s, "attempts") != 1 {
			t.Errorf("%d assets, files %v", rows(t, s, "assets"), filesOf(t, s))
		}
		if got := read(t, s, must(s.Electron(t.Context(), second.ID, "e0"))(t).Files["plot"].SHA256); len(got) != 1<<16 {
			t.Error("a file of the other dispatch is gone")
		}
		cs, _, err := s.ChangedSince(t.Context(), seq, 10)
		if err != nil || len(cs) != 1 || !cs[0].Deleted || cs[0].ID != first.ID || cs[0].Kind != KindDispatch {
			t.Errorf("changes %+v %v", cs, err)
		}
		for _, id := range []string{second.ID, labelled.ID} {
			if err := s.DeleteDispatch(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		for _, table := range []string{"dispatches", "electrons", "attempts", "assets", "dispatch_labels"} {
			if n := rows(t, s, table); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		if fs := filesOf(t, s); len(fs) != 0 {
			t.Errorf("files left: %v", fs)
		}
		if err := s.DeleteDispatch(t.Context(), first.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("twice: %v", err)
		}
	})

	t.Run("not while it may run", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		running := claimed(t, s, l)
		pending := insert(t, s, dispatchOf(l))
		wantConflict(t, s.DeleteDispatch(t.Context(), running.ID), "dispatch_running")
		wantConflict(t, s.DeleteDispatch(t.Context(), pending.ID), "dispatch_running")
	})

	t.Run("not while a trigger needs it", func(t *testing.T) {
		s := openNew(t)
		tr, _ := withTrigger(t, s, "scans")
		err := s.DeleteDispatch(t.Context(), tr.DispatchID)
		wantConflict(t, err, "dispatch_is_target")
		if !strings.Contains(fmt.Sprint(err), "scans") {
			t.Errorf("the trigger is not named: %v", err)
		}
		if err := s.RemoveTrigger(t.Context(), tr.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteDispatch(t.Context(), tr.DispatchID); err != nil {
			t.Error(err)
		}
	})

	t.Run("sublattices go with it, unless one runs", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		root := cancelled(t, s, insert(t, s, dispatchOf(l)))
		sub := dispatchOf(l)
		sub.RootID = root.ID
		sub = insert(t, s, sub)
		wantConflict(t, s.DeleteDispatch(t.Context(), root.ID), "dispatch_running")
		cancelled(t, s, sub)
		if err := s.DeleteDispatch(t.Context(), root.ID); err != nil || rows(t, s, "dispatches") != 0 {
			t.Error(err)
		}
	})

	t.Run("its firing and its event stay, as does its child", func(t *testing.T) {
		s := openNew(t)
		tr, l := withTrigger(t, s, "a")
		e := event(t, "1")
		record(t, s, tr, batch(e), fired(e, dispatchOf(l))...)
		ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Trigger: "a"})
		if err != nil {
			t.Fatal(err)
		}
		child := dispatchOf(l)
		child.ParentID = ds[0].ID
		insert(t, s, child)
		if err := s.DeleteDispatch(t.Context(), cancelled(t, s, ds[0]).ID); err != nil {
			t.Fatal(err)
		}
		f := must(s.Firing(t.Context(), ds[0].FiringID))(t)
		if len(f.DispatchIDs) != 1 || f.Inputs != nil || len(f.EventIDs) != 1 {
			t.Errorf("%+v", f)
		}
		if ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Parent: ds[0].ID}); err != nil || len(ds) != 1 {
			t.Errorf("children %v %v", ds, err)
		}
	})
}

func TestDeleteLattice(t *testing.T) {
	t.Run("not while a dispatch or a trigger needs it", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		d := cancelled(t, s, insert(t, s, dispatchOf(l)))
		wantConflict(t, s.DeleteLattice(t.Context(), "x"), "lattice_in_use")
		if err := s.DeleteDispatch(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		for name, target := range map[string]triggers.Trigger{
			"pinned": {LatticeID: l.ID, LatticeName: "x"}, "latest": {LatticeName: "x"},
		} {
			target.Name, target.Kind = name, "time"
			tr := must(s.CreateTrigger(t.Context(), target))(t)
			wantConflict(t, s.DeleteLattice(t.Context(), l.ID), "lattice_is_target")
			if err := s.RemoveTrigger(t.Context(), tr.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.DeleteLattice(t.Context(), l.ID); err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{"x", l.ID} {
			if _, err := s.Lattice(t.Context(), by); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", by, err)
			}
		}
		if rows(t, s, "lattice_names") != 0 || rows(t, s, "lattices") != 0 {
			t.Error("something is left")
		}
		if _, err := s.InsertDispatch(t.Context(), dispatchOf(l)); !errors.Is(err, ErrNotFound) {
			t.Errorf("a dispatch of it: %v", err)
		}
		if isNew := must(s.InsertLattice(t.Context(), l, true, "anna"))(t); !isNew {
			t.Error("stored again, it was not new")
		}
		insert(t, s, dispatchOf(l))
	})
}
