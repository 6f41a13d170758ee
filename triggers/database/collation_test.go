package database

import (
	"fmt"
	"testing"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// again waits until a table was looked at twice more; stir writes to it.
func (r *rig) again(stir func()) {
	r.t.Helper()
	for range 2 {
		polls := r.stats().Polls
		stir()
		r.until("another poll", func() bool { return r.stats().Polls > polls })
	}
}

func TestRows_that_differ_by_what_their_collation_ignores_are_read_once(t *testing.T) {
	run := func(t *testing.T, r *rig, exec func(string)) {
		r.start()
		r.active()
		for i, values := range [][]string{{"a", "A", "a"}, {"A"}, {"B", "b", "b", "B"}} {
			for j, v := range values {
				exec(fmt.Sprintf("INSERT INTO runs (id, name) VALUES (%d, '%s')", 10*i+j, v))
			}
			total := []int{3, 4, 8}[i]
			r.until(fmt.Sprint(total, " events"), func() bool { return len(r.events) == total })
			r.again(func() { exec(fmt.Sprintf("UPDATE runs SET n = n + 1 WHERE id = %d", 10*i)) })
			if got := r.stats().Rows; got != int64(total) {
				t.Fatalf("%d rows were read after %v", got, values)
			}
		}
	}
	fields := map[string]any{"cursor": "name", "key": "id", "look_back": "0s", "start": "beginning"}
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		for name, columns := range map[string][]string{
			"mariadb":  {"varchar(20) COLLATE utf8mb4_general_ci NOT NULL", "varchar(20) COLLATE utf8mb4_unicode_ci NOT NULL"},
			"postgres": {"text COLLATE blind NOT NULL"},
		} {
			if name != s.name {
				continue
			}
			for _, column := range columns {
				t.Run(column, func(t *testing.T) {
					database, db := host.Database(t)
					if name == "postgres" {
						dbtest.Exec(t, db, "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
					}
					dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY, name "+column+", n int DEFAULT 0)")
					run(t, onServer(t, host.URL(database), "runs", fields), func(sql string) { dbtest.Exec(t, db, sql) })
				})
			}
		}
	})
	t.Run("sqlite", func(t *testing.T) {
		path, w := lab(t, "delete")
		w.do("CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE, n int DEFAULT 0)")
		run(t, on(t, path, "runs", fields), func(sql string) { w.do(sql) })
	})
}

// More rows tie than a trigger takes for seen when it begins.
func TestRows_from_before_are_none_when_one_ties_with_them_by_what_their_collation_ignores(t *testing.T) {
	run := func(t *testing.T, r *rig, exec func(string)) {
		for i := range baseline + 50 {
			exec(fmt.Sprintf("INSERT INTO runs (id, name) VALUES (%d, 'a')", i))
		}
		r.start()
		r.active()
		exec("INSERT INTO runs (id, name) VALUES (1000, 'A')")
		r.has(`"A",1000`)
		r.again(func() { exec("UPDATE runs SET n = n + 1 WHERE id = 1000") })
		if got := r.stats().Rows; got != 1 {
			t.Errorf("%d rows were read", got)
		}
	}
	fields := map[string]any{"cursor": "name", "key": "id", "look_back": "0s"}
	t.Run("mariadb", func(t *testing.T) {
		host := dbtest.SharedMariaDB(t)
		database, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY, name varchar(20) COLLATE utf8mb4_general_ci NOT NULL, n int DEFAULT 0)")
		run(t, onServer(t, host.URL(database), "runs", fields), func(sql string) { dbtest.Exec(t, db, sql) })
	})
	t.Run("sqlite", func(t *testing.T) {
		path, w := lab(t, "wal")
		w.do("CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE, n int DEFAULT 0)")
		run(t, on(t, path, "runs", fields), func(sql string) { w.do(sql) })
	})
}

func TestRows_of_numbers_that_are_equal_but_written_otherwise_are_read_once(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, db := s.Database(t)
	dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY, at numeric NOT NULL)")
	r := onServer(t, s.URL(name), "runs", map[string]any{"cursor": "at", "key": "id", "look_back": "0s", "start": "beginning"})
	r.start()
	r.active()
	dbtest.Exec(t, db, "INSERT INTO runs VALUES (1, 1.5), (2, 1.50), (3, 1.500)")
	r.has("1.5,1", "1.50,2", "1.500,3")
	r.again(func() {})
	if got := r.stats().Rows; got != 3 {
		t.Errorf("%d rows were read", got)
	}
}
