package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/latticed/latticed/graph"
)

func TestLattices(t *testing.T) {
	t.Run("is stored once; a name points at the last that was stored with it", func(t *testing.T) {
		s := openNew(t)
		one, two := chain(t, "x", 1), chain(t, "x", 2)
		for _, step := range []struct {
			l     *graph.Lattice
			name  bool
			isNew bool
			at    string
		}{{one, true, true, one.ID}, {one, true, false, one.ID}, {two, false, true, one.ID}, {two, true, false, two.ID}, {one, true, false, one.ID}} {
			isNew := must(s.InsertLattice(t.Context(), step.l, step.name, "anna"))(t)
			if got := must(s.Lattice(t.Context(), "x"))(t); isNew != step.isNew || got.ID != step.at {
				t.Errorf("new %v, x is %s", isNew, got.ID)
			}
		}
		s = reopen(t, s)
		got := must(s.Lattice(t.Context(), two.ID))(t)
		if got.ID != two.ID || len(got.Electrons) != 2 || string(got.Document) != string(two.Document) {
			t.Errorf("%+v", got)
		}
		if again := must(s.Lattice(t.Context(), two.ID))(t); again != got {
			t.Error("it was compiled twice")
		}
	})

	t.Run("an asset nobody uploaded is named", func(t *testing.T) {
		s := openNew(t)
		l, err := graph.Parse(fmt.Appendf(nil, `{"lattice":"x","include":{"a.bin":{"sha256":%q}},"electrons":{"e":{"run":["cat","a.bin"]}}}`, strings.Repeat("0", 64)))
		if err != nil {
			t.Fatal(err)
		}
		var m *MissingAssetError
		if _, err := s.InsertLattice(t.Context(), l, true, "anna"); !errors.As(err, &m) || m.Path != "a.bin" {
			t.Errorf("got %v", err)
		}
		if rows(t, s, "lattices") != 0 || rows(t, s, "lattice_names") != 0 {
			t.Error("something was kept")
		}
	})

	t.Run("info and pages", func(t *testing.T) {
		s := openNew(t)
		for _, n := range []string{"c", "a", "d", "b"} {
			withLattice(t, s, n, 2)
		}
		unnamed := chain(t, "e", 1)
		must(s.InsertLattice(t.Context(), unnamed, false, "ben"))(t)
		info := must(s.LatticeInfo(t.Context(), "a"))(t)
		if info.Name != "a" || info.Electrons != 2 || info.Owner != "anna" || !slices.Equal(info.Names, []string{"a"}) || info.Document == nil || info.CreatedAt.IsZero() {
			t.Errorf("%+v", info)
		}
		for want, f := range map[string]LatticeFilter{
			"abcd": {}, "ebdac": {All: true}, "e": {All: true, Owner: "ben"}, "b": {Query: "B"}, "": {Query: "%"},
		} {
			got := ""
			for f.Limit = 2; ; {
				ls, next, err := s.Lattices(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range ls {
					got += l.Name
				}
				if f.After = next; next == "" {
					break
				}
			}
			if got != want {
				t.Errorf("%+v: %s, want %s", f, got, want)
			}
		}
		if _, err := s.LatticeInfo(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no lattice: %v", err)
		}
		if _, _, err := s.Lattices(t.Context(), LatticeFilter{After: pageCursor{K: "names"}.String(), All: true}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor of the other list: %v", err)
		}
	})

	t.Run("few compiled ones are kept, any is found", func(t *testing.T) {
		s := openAt(t, filepath.Join(t.TempDir(), "s"), Options{Lattices: 2})
		var ids []string
		for i := range 12 {
			ids = append(ids, withLattice(t, s, fmt.Sprintf("l%d", i), 1).ID)
		}
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 48 {
					id := ids[(i*(g+1))%len(ids)]
					if l, err := s.Lattice(background(), id); err != nil || l.ID != id {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := s.compiled.order.Len(); n > 2 || n != len(s.compiled.byID) {
			t.Errorf("%d kept", n)
		}
	})
}
