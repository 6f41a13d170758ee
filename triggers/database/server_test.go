package database

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// prompt is how soon something is over that a test waits for, on a busy machine.
const prompt = time.Minute

// one is the value of a query that has one.
func one[T any](t *testing.T, db *sql.DB, query string, args ...any) (v T) {
	t.Helper()
	if err := db.QueryRowContext(context.WithoutCancel(t.Context()), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// eventually asks until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(prompt); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", prompt, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func nothing([]any) error { return nil }

// running counts the statements of ours that a server works at.
func (s server) running(t *testing.T, db *sql.DB) int {
	t.Helper()
	if _, ok := s.dialect.(mysqlDialect); ok {
		return one[int](t, db, "SELECT count(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(200)%' AND ID <> CONNECTION_ID()")
	}
	return one[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(200)%' AND state = 'active' AND pid <> pg_backend_pid()")
}

// open counts the transactions that are open, but for the one that asks.
func (s server) open(t *testing.T, db *sql.DB) int {
	t.Helper()
	if _, ok := s.dialect.(mysqlDialect); ok {
		return one[int](t, db, "SELECT count(*) FROM information_schema.INNODB_TRX")
	}
	return one[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND backend_type = 'client backend' AND pid <> pg_backend_pid()")
}

func TestRead_ends_a_statement_at_its_limit_and_the_connection_goes_on(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, db := host.Database(t)
		c := connectTo(t, s.dialect, host.URL(name))
		for range 2 {
			began := time.Now()
			err := c.read(t.Context(), "SELECT 1 WHERE "+s.sleep, nil, 200*time.Millisecond, nothing)
			if err == nil || s.dialect.judge(err) != troubleBusy {
				t.Fatalf("judged %v: %v", s.dialect.judge(err), err)
			}
			if took := time.Since(began); took > 200*time.Millisecond+silence {
				t.Errorf("it took %s", took)
			}
			if n := s.running(t, db); n != 0 {
				t.Errorf("%d statements still run on the server", n)
			}
			if got := rowsOf(t, c, "SELECT 1"); len(got) != 1 {
				t.Errorf("the connection gives %v", got)
			}
		}
		if n := s.open(t, db); n != 0 {
			t.Errorf("%d transactions are open", n)
		}
	})
}

func TestRead_ends_with_its_context_and_the_server_is_told(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, db := host.Database(t)
		c := connectTo(t, s.dialect, host.URL(name))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.read(ctx, "SELECT 1 WHERE "+s.sleep, nil, time.Minute, nothing) }()
		eventually(t, "the statement runs", func() bool { return s.running(t, db) == 1 })
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("it ends with %v", err)
			}
		case <-time.After(prompt):
			t.Fatal("it doesn't end")
		}
		eventually(t, "the server has ended the statement", func() bool { return s.running(t, db) == 0 && s.open(t, db) == 0 })
	})
}

func TestRead_gives_up_a_server_that_stands_still(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, _ := host.Database(t)
		c := connectTo(t, s.dialect, host.URL(name))
		resume := host.Suspend(t)
		began := time.Now()
		err := c.read(t.Context(), "SELECT 1", nil, 100*time.Millisecond, nothing)
		if err == nil || s.dialect.judge(err) != troubleLost {
			t.Errorf("judged %v: %v", s.dialect.judge(err), err)
		}
		if took := time.Since(began); took > 100*time.Millisecond+silence+3*farewell {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if other, err := s.dialect.open(ctx, must(parseURL(host.URL(name)))); err == nil || s.dialect.judge(err) != troubleLost {
			t.Errorf("connecting gives %v, judged %v: %v", other, s.dialect.judge(err), err)
		}
		began = time.Now()
		if _ = c.close(); time.Since(began) > 2*farewell {
			t.Errorf("closing took %s", time.Since(began))
		}
		resume()
		again := connectTo(t, s.dialect, host.URL(name))
		rowsOf(t, again, "SELECT 1")
	})
}

func TestRead_says_that_a_killed_server_or_a_cut_network_is_lost(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, _ := host.Database(t)
		way := dbtest.NewProxy(t, host)
		address := host.URLAt(way.Address, dbtest.User, dbtest.Password, name)
		for what, f := range map[string]struct{ lose, find func() }{
			"killed":  {func() { host.Kill(t) }, func() { host.Start(t) }},
			"stopped": {func() { host.Stop(t) }, func() { host.Start(t) }},
			"cut":     {way.Cut, way.Restore},
			"stalled": {way.Stall, way.Restore},
		} {
			for _, busy := range []bool{false, true} {
				c := connectTo(t, s.dialect, address)
				rowsOf(t, c, "SELECT 1")
				done := make(chan error, 1)
				query := "SELECT 1"
				if busy {
					query += " WHERE " + s.sleep
					go func() { done <- c.read(t.Context(), query, nil, 500*time.Millisecond, nothing) }()
					<-time.After(100 * time.Millisecond) // either way it must be lost
					f.lose()
				} else {
					f.lose()
					done <- c.read(t.Context(), query, nil, 500*time.Millisecond, nothing)
				}
				if err := <-done; err == nil || s.dialect.judge(err) != troubleLost {
					t.Errorf("%s, busy %v: judged %v: %v", what, busy, s.dialect.judge(err), err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				if _, err := s.dialect.open(ctx, must(parseURL(address))); err == nil || s.dialect.judge(err) != troubleLost {
					t.Errorf("%s: connecting is judged %v: %v", what, s.dialect.judge(err), err)
				}
				cancel()
				f.find()
				_ = c.close()
			}
		}
	})
}

func TestRead_can_not_change_anything(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY)", "INSERT INTO runs VALUES (1)")
		c := connectTo(t, s.dialect, host.URL(name))
		for _, query := range map[string][]string{
			"postgres": {
				"WITH gone AS (DELETE FROM runs RETURNING id) SELECT id FROM gone", "SELECT id FROM runs FOR UPDATE", "SELECT id FROM runs; COMMIT; DELETE FROM runs",
				"SELECT set_config('transaction_read_only', 'off', false) FROM runs", "SELECT nextval('s')",
			},
			"mariadb": {"DELETE FROM runs", "SELECT id FROM runs; COMMIT; DELETE FROM runs", "SELECT gone()", "SELECT NEXTVAL(s)"},
		}[strings.TrimPrefix(t.Name()[strings.LastIndex(t.Name(), "/"):], "/")] {
			if strings.Contains(query, "gone()") {
				dbtest.Exec(t, db, "CREATE FUNCTION gone() RETURNS int BEGIN DELETE FROM runs; RETURN 1; END")
			}
			if strings.Contains(query, "(s)") || strings.Contains(query, "'s'") {
				dbtest.Exec(t, db, "CREATE SEQUENCE s")
			}
			if err := c.read(t.Context(), query, nil, time.Second, nothing); err == nil {
				t.Errorf("%s is done", query)
			}
		}
		if n := one[int](t, db, "SELECT count(*) FROM runs"); n != 1 {
			t.Errorf("%d rows are left", n)
		}
		if n := len(rowsOf(t, c, "SELECT id FROM runs")); n != 1 {
			t.Errorf("afterwards %d rows are read", n)
		}
	})
}

func TestRead_sees_each_time_what_is_committed_by_then_and_leaves_no_transaction(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY)")
		c := connectTo(t, s.dialect, host.URL(name))
		for n := range 4 {
			if got := len(rowsOf(t, c, "SELECT id FROM runs")); got != n {
				t.Errorf("%d rows are read, not %d", got, n)
			}
			if open := s.open(t, db); open != 0 {
				t.Errorf("%d transactions are open", open)
			}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO runs VALUES ("+string(rune('1'+n))+")"); err != nil {
				t.Fatal(err)
			}
			if got := len(rowsOf(t, c, "SELECT id FROM runs")); got != n {
				t.Errorf("%d rows are read before the commit, not %d", got, n)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRead_goes_on_through_changes_of_the_table(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		c := connectTo(t, s.dialect, host.URL(name))
		read := func() ([][]any, error) {
			var rows [][]any
			err := c.read(t.Context(), "SELECT * FROM runs ORDER BY id", nil, time.Second, func(v []any) error { rows = append(rows, v); return nil })
			return rows, err
		}
		missing := func(what string, err error) {
			t.Helper()
			if err == nil || s.dialect.judge(err) != troubleMissing {
				t.Errorf("%s: judged %v: %v", what, s.dialect.judge(err), err)
			}
		}
		_, err := read()
		missing("no table", err)
		dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY, v int)", "INSERT INTO runs VALUES (1, 7)")
		if rows, err := read(); err != nil || len(rows) != 1 || rows[0][1] != int64(7) {
			t.Errorf("the new table gives %v, %v", rows, err)
		}
		dbtest.Exec(t, db, "ALTER TABLE runs DROP COLUMN v", "ALTER TABLE runs ADD COLUMN w varchar(9)")
		if rows, err := read(); err != nil || len(rows) != 1 || rows[0][1] != nil {
			t.Errorf("the changed table gives %v, %v", rows, err)
		}
		missing("a column that is gone", c.read(t.Context(), "SELECT v FROM runs", nil, time.Second, nothing))
		dbtest.Exec(t, db, "DROP TABLE runs")
		_, err = read()
		missing("a dropped table", err)
		dbtest.Exec(t, db, "CREATE TABLE runs (v varchar(9), id bigint PRIMARY KEY)", "INSERT INTO runs VALUES ('x', 1)")
		if rows, err := read(); err != nil || len(rows) != 1 || rows[0][0] != "x" {
			t.Errorf("the table that was made again gives %v, %v", rows, err)
		}
	})
}

func TestOpen_says_what_is_wrong_without_the_password(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		const password = `Wr0ng/open?#@:%41+'"\ ü`
		user := "guest" + name
		create := "CREATE USER " + user + " PASSWORD '" + password + "'"
		if _, ok := s.dialect.(mysqlDialect); ok {
			create = "CREATE USER " + user + "@'127.0.0.1' IDENTIFIED BY '" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(password) + "'"
		} else {
			create = strings.Replace(create, "41+'", "41+''", 1)
		}
		dbtest.Exec(t, db, create, "CREATE TABLE secret (id int PRIMARY KEY)")
		t.Cleanup(func() { _, _ = db.ExecContext(context.WithoutCancel(t.Context()), "DROP USER "+user) }) // the server goes anyway
		for what, f := range map[string]struct {
			url  string
			want trouble
		}{
			"wrong password": {host.URLFor(dbtest.User, password, name), troubleDenied},
			"unknown user":   {host.URLFor("nobody", password, name), troubleDenied},
			"no database":    {host.URLFor(dbtest.User, dbtest.Password, "nowhere"), troubleMissing},
			"no right":       {host.URLFor(user, password, name), troubleDenied},
			"closed port":    {host.URLAt("127.0.0.1:1", dbtest.User, password, name), troubleLost},
			"unknown host":   {host.URLAt("no-such-host.invalid", dbtest.User, password, name), troubleLost},
		} {
			a := must(parseURL(f.url))
			c, err := s.dialect.open(t.Context(), a)
			if err == nil {
				_, err = c.describe(t.Context(), tableName{name: "secret"})
				_ = c.close()
			}
			if err == nil || s.dialect.judge(err) != f.want {
				t.Errorf("%s: judged %v: %v", what, s.dialect.judge(err), err)
				continue
			}
			t.Logf("%s: %v", what, err)
			if shown := newRedactor(a).err(err).Error(); shown != err.Error() {
				t.Errorf("%s: the driver itself shows the password: %s", what, err)
			}
			for _, form := range []string{a.password.reveal(), url.QueryEscape(a.password.reveal()), url.PathEscape(a.password.reveal()), base64.StdEncoding.EncodeToString([]byte(a.password.reveal()))} {
				if strings.Contains(err.Error(), form) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: more than one line: %q", what, err)
			}
		}
	})
}
