package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/latticed/latticed/graph"
)

func TestNear(t *testing.T) {
	s, _ := openClocked(t)
	for _, name := range []string{"integrate_image", "fit_peaks", "report"} {
		l, err := graph.Parse([]byte("lattice: " + name + "\nelectrons: {load: {run: [\"true\"]}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.InsertLattice(t.Context(), l, true, "anna"); err != nil {
			t.Fatal(err)
		}
	}
	for word, want := range map[string]string{"integrate_imag": "integrate_image", "Fit-Peaks": "fit_peaks", "reprot": "report", "ift_peaks": "fit_peaks", "something": "", "": "", "r": "", "\xff\xff": ""} {
		t.Run("of_"+word, func(t *testing.T) {
			if got := s.Near(t.Context(), "lattice", word); got != want {
				t.Errorf("%q", got)
			}
		})
	}
	t.Run("of_another_thing_is_nothing", func(t *testing.T) {
		if got := s.Near(t.Context(), "token", "reprot") + s.Near(t.Context(), "dispatch", "reprot"); got != "" {
			t.Errorf("%q", got)
		}
	})
}

// Names beside the one that is looked for are read up to a limit, wherever it stands.
func TestNear_finds_a_name_among_very_many(t *testing.T) {
	s, _ := openClocked(t)
	oneLattice(t, s)
	err := s.change(t.Context(), func(tx *tx) error {
		for i := range 3 * nearest {
			name := fmt.Sprintf("aa%06d", i)
			if i == 0 {
				name = "zebra"
			}
			if _, err := tx.exec("INSERT INTO lattice_names (name, lattice, owner, created_by, created_at, updated_at) VALUES (?, 1, 'a', 'a', 1, 1)", name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Near(t.Context(), "lattice", "zebar"); got != "zebra" {
		t.Errorf("%q", got)
	}
}

// oneLattice stores the lattice one, of one electron, load.
func oneLattice(t *testing.T, s *Store) *graph.Lattice {
	t.Helper()
	l, err := graph.Parse([]byte("lattice: one\nelectrons: {load: {run: [\"true\"]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.InsertLattice(t.Context(), l, true, "anna"); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestElectron_that_is_not_there_says_which_was_meant(t *testing.T) {
	s, _ := openClocked(t)
	l := oneLattice(t, s)
	d, err := s.InsertDispatch(t.Context(), graph.Dispatch{LatticeID: l.ID, Status: graph.Pending, Inputs: []byte("{}"), Owner: "a", CreatedBy: "a", RunAs: "a"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Electron(t.Context(), d.ID, "laod")
	if want := `dispatch 1: electron "laod": not found; did you mean "load"?`; !errors.Is(err, ErrNotFound) || err.Error() != want {
		t.Errorf("%v", err)
	}
}
