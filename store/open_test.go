package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm/schema"
)

func TestOpen(t *testing.T) {
	t.Run("creates what is missing, closed to others", func(t *testing.T) {
		s := openAt(t, filepath.Join(t.TempDir(), "a b", "?x=1#%41 ü", "state"), Options{})
		withLattice(t, s, "x", 1)
		for name, want := range map[string]os.FileMode{"": 0o711, "assets": 0o700, databaseName: 0o600, databaseName + "-wal": 0o600, databaseName + "-shm": 0o600, "lock": 0o600} {
			info, err := os.Stat(filepath.Join(s.dir, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v %v, want %v", name, info, err, want)
			}
		}
	})

	t.Run("the database is as durable and as strict as promised", func(t *testing.T) {
		s := openNew(t)
		got := map[string]string{}
		err := s.change(t.Context(), func(t *tx) error {
			for _, p := range []string{"journal_mode", "synchronous", "foreign_keys", "auto_vacuum", "busy_timeout", "journal_size_limit", "temp_store"} {
				var v string
				if err := t.row("PRAGMA "+p, nil, &v); err != nil {
					return err
				}
				got[p] = v
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for p, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "auto_vacuum": "2", "busy_timeout": "5000", "journal_size_limit": "67108864", "temp_store": "2",
		} {
			if got[p] != want {
				t.Errorf("%s is %s, want %s", p, got[p], want)
			}
		}
		var v string
		if err := s.read.Raw("SELECT sqlite_version()").Scan(&v).Error; err != nil || olderThan(v, minSQLite) {
			t.Errorf("SQLite %s, %v", v, err)
		}
		if err := s.read.Exec("DELETE FROM dispatches").Error; err == nil {
			t.Error("a reader wrote")
		}
	})

	t.Run("a second one is told who has it", func(t *testing.T) {
		s := openNew(t)
		_, err := Open(t.Context(), s.dir, Options{})
		var l *LockedError
		if !errors.As(err, &l) || !strings.Contains(err.Error(), "in use by process ") || !strings.Contains(err.Error(), s.dir) || !strings.Contains(err.Error(), " since 2") {
			t.Errorf("got %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		openAt(t, s.dir, Options{})
		if got := (&LockedError{Dir: "/d"}).Error(); !strings.Contains(got, "in use by another process") {
			t.Error(got)
		}
	})

	t.Run("a network filesystem is refused", func(t *testing.T) {
		for magic, name := range map[int64]string{0x6969: "NFS", 0xff534d42: "CIFS", -11317950: "CIFS", 0x65735546: "FUSE"} {
			_, err := open(t.Context(), filepath.Join(t.TempDir(), "s"), Options{}, func(string) (int64, error) { return magic, nil })
			var n *NetworkError
			if !errors.As(err, &n) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "local disk") {
				t.Errorf("%#x: %v", magic, err)
			}
		}
		if err := checkFilesystem("/", func(string) (int64, error) { return 0xef53, nil }); err != nil {
			t.Errorf("ext4: %v", err)
		}
		if _, err := filesystemKind(t.TempDir()); err != nil {
			t.Error(err)
		}
		if _, err := open(t.Context(), t.TempDir(), Options{}, func(string) (int64, error) { return 0, errRefused }); !errors.Is(err, errRefused) {
			t.Errorf("statfs failed: %v", err)
		}
	})

	t.Run("a failure gives everything back", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "s")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, databaseName), []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second would find the lock of the first
			_, err := Open(t.Context(), dir, Options{})
			if err == nil || strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), databaseName) {
				t.Errorf("got %v", err)
			}
		}
	})

	t.Run("an ended context opens nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if s, err := Open(ctx, filepath.Join(t.TempDir(), "s"), Options{}); err == nil {
			s.Close()
			t.Error("no error")
		}
	})

	t.Run("closing twice is one close", func(t *testing.T) {
		s := openNew(t)
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestOlderThan(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"3.41.2", "3.51.3", true}, {"3.51.3", "3.51.3", false}, {"3.51", "3.51.3", true}, {"3.53.0", "3.51.3", false}, {"4", "3.51.3", false}, {"x", "3", true}} {
		if got := olderThan(test.a, test.b); got != test.want {
			t.Errorf("%s older than %s: %v", test.a, test.b, got)
		}
	}
}

// TestSchemaEqualsModels compares the columns of each table with its row struct.
func TestSchemaEqualsModels(t *testing.T) {
	s := openNew(t)
	models := []any{
		dispatchRow{},
		labelRow{},
		electronRow{},
		attemptRow{},
		latticeRow{},
		latticeNameRow{},
		latticeAssetRow{},
		assetRow{},
		uploadRow{},
		triggerRow{},
		revisionRow{},
		cursorRow{},
		entityRow{},
		eventRow{},
		firingRow{},
		keyRow{},
		tokenRow{},
		tombstoneRow{},
		metaRow{},
		pastKeyRow{},
		auditRow{},
	}
	seen := map[string]bool{"migrations": true, "migration_hashes": true, "sqlite_sequence": true}
	for _, m := range models {
		sc, err := schema.Parse(m, &sync.Map{}, schema.NamingStrategy{})
		if err != nil {
			t.Fatal(err)
		}
		seen[sc.Table] = true
		var columns []struct {
			Name string
			Type string
			Pk   int
		}
		if err := s.read.Raw("SELECT name, type, pk FROM pragma_table_info(?)", sc.Table).Scan(&columns).Error; err != nil {
			t.Fatal(err)
		}
		if len(columns) != len(sc.DBNames) {
			t.Errorf("%s has %d columns, its struct %d fields", sc.Table, len(columns), len(sc.DBNames))
		}
		for _, c := range columns {
			f := sc.FieldsByDBName[c.Name]
			if f == nil {
				t.Errorf("%s.%s has no field", sc.Table, c.Name)
				continue
			}
			want := map[schema.DataType]string{schema.Int: "INTEGER", schema.Bool: "INTEGER", schema.String: "TEXT", schema.Bytes: "BLOB"}[f.DataType]
			if c.Type != want || f.PrimaryKey != (c.Pk > 0) {
				t.Errorf("%s.%s is %s (key %d), its field %s (key %v)", sc.Table, c.Name, c.Type, c.Pk, f.DataType, f.PrimaryKey)
			}
		}
	}
	var tables []string
	if err := s.read.Raw("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%'").Scan(&tables).Error; err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if !seen[table] {
			t.Errorf("table %s has no row struct", table)
		}
	}
}

// TestWordsAreChecked tries a word that is none in every column of states.
func TestWordsAreChecked(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	e := event(t, "1")
	record(t, s, tr, batch(e, event(t, "2")), fired(e, dispatchOf(l))...)
	d := begin(t, s, 1)[0].Dispatch
	advance(t, s, stepOne(d.ID))
	for table, column := range map[string]string{
		"dispatches": "status", "electrons": "status", "attempts": "status", "triggers": "state", "events": "state", "firings": "decision",
	} {
		err := s.change(t.Context(), func(t *tx) error {
			_, err := t.exec("UPDATE " + table + " SET " + column + " = 'exploded'")
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "CHECK") {
			t.Errorf("%s.%s: %v", table, column, err)
		}
	}
	for _, q := range []string{
		"UPDATE events SET firing = NULL", "UPDATE events SET state = 'fired' WHERE firing IS NULL", "UPDATE dispatches SET running = -1",
		"UPDATE dispatches SET completed = total + 1", "UPDATE dispatches SET lattice = 99", "UPDATE events SET firing = 99 WHERE firing IS NOT NULL",
		"DELETE FROM lattices", "UPDATE assets SET refs = -1 WHERE 1",
	} {
		err := s.change(t.Context(), func(t *tx) error {
			n, err := t.exec(q)
			if err == nil && n == 0 {
				return errRefused // assets: there is none
			}
			return err
		})
		if err == nil {
			t.Errorf("%s was taken", q)
		}
	}
}

func TestPinIsGivenBack(t *testing.T) {
	p := newPin()
	want := len(p.blocks)
	p.close()
	if want < pinMax-pinMin || p.blocks != nil {
		t.Errorf("%d blocks on %s", want, runtime.GOARCH)
	}
}
