package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/graph"
)

// allow bounds the database to n more pages than it has; a full disk in miniature.
func allow(t *testing.T, s *Store, more int64) {
	t.Helper()
	err := s.change(t.Context(), func(t *tx) error {
		var pages int64
		if err := t.row("PRAGMA page_count", nil, &pages); err != nil {
			return err
		}
		return t.row(fmt.Sprintf("PRAGMA max_page_count = %d", pages+more), nil, &pages)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	large := dispatchOf(l)
	large.Inputs = []byte(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)
	running := claimed(t, s, l)
	allow(t, s, 40)

	t.Run("what does not fit is refused with its own error, what fits is stored", func(t *testing.T) {
		var wg sync.WaitGroup
		errs := make([]error, 9)
		for i := range errs {
			wg.Go(func() {
				d := dispatchOf(l)
				if i%3 == 0 {
					d = large
				}
				_, errs[i] = s.InsertDispatch(background(), d)
			})
		}
		wg.Wait()
		for i, err := range errs {
			if full := errors.Is(err, ErrDiskFull); full != (i%3 == 0) || (err != nil && !full) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if n := rows(t, s, "dispatches"); n != 7 {
			t.Errorf("%d dispatches, want 7", n)
		}
	})

	t.Run("it is seen while it lasts and goes by itself", func(t *testing.T) {
		if _, err := s.InsertDispatch(t.Context(), large); !errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
		if err := s.Health(); !errors.Is(err, ErrDiskFull) {
			t.Errorf("health: %v", err)
		}
		allow(t, s, 1<<20)
		if err := s.change(t.Context(), func(*tx) error { return &sqliteError{code: sqliteFull} }); !errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
		s.probe(t.Context())
		if err := s.Health(); err != nil {
			t.Errorf("health: %v", err)
		}
		insert(t, s, large)
		advance(t, s, stepOne(running.ID))
		if st := s.Stats(); st.Failures == 0 || st.DBBytes == 0 || st.WALBytes == 0 || st.Busy == 0 {
			t.Errorf("%+v", st)
		}
	})
	checkNumbers(t, s)
}

func checkNumbers(t *testing.T, s *Store) {
	t.Helper()
	if n := rows(t, s, "dispatches WHERE (SELECT max(number) FROM dispatches) <> (SELECT count(*) FROM dispatches)"); n != 0 {
		t.Error("numbers have gaps")
	}
}

func TestLockedDatabase(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "s"), Options{BusyTimeout: 20 * time.Millisecond})
	l := withLattice(t, s, "x", 1)
	other, err := sql.Open(sqlite.DriverName, writerDSN(filepath.Join(s.dir, databaseName), Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.InsertDispatch(t.Context(), dispatchOf(l)); !errors.Is(err, ErrBusy) {
		t.Errorf("locked: %v", err)
	}
	if err := s.Health(); !errors.Is(err, ErrBusy) {
		t.Errorf("health: %v", err)
	}
	if _, _, err := s.Dispatches(t.Context(), DispatchFilter{}); err != nil {
		t.Errorf("readers are shut out as well: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if d := insert(t, s, dispatchOf(l)); d.Number != 1 || s.Health() != nil {
		t.Errorf("%+v, %v", d, s.Health())
	}
}

func TestStorageError(t *testing.T) {
	for _, test := range []struct{ err, want error }{
		{fmt.Errorf("write: %w", unix.ENOSPC), ErrDiskFull},
		{unix.EDQUOT, ErrDiskFull},
		{&sqliteError{code: sqliteFull}, ErrDiskFull},
		{&sqliteError{code: sqliteBusy | 2<<8}, ErrBusy},
		{ErrDiskFull, ErrDiskFull},
		{errRefused, errRefused},
		{nil, nil},
	} {
		if got := storageError(test.err); !errors.Is(got, test.want) {
			t.Errorf("%v: %v", test.err, got)
		}
	}
	if isStorage(graph.ErrStale) || !isStorage(fmt.Errorf("x: %w", &sqliteError{code: sqliteIOErr | 3<<8})) {
		t.Error("storage errors are not told from others")
	}
}
