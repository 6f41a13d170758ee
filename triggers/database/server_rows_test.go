package database

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/database/dbtest"
	"github.com/latticed/latticed/triggers/triggertest"
)

// onServer is a rig over a table of a server, with fields over the usual ones.
func onServer(t *testing.T, url, table string, over map[string]any) *rig {
	_, kind, stats := New(Options{})
	fields := map[string]any{"url": url, "table_name": table, "poll_interval": "50ms"}
	maps.Copy(fields, over)
	return &rig{t: t, kind: kind, stats: stats, fields: fields, wake: make(chan struct{}, 1), keys: map[string]bool{}}
}

// counted is the type of a key that the server counts up.
func (s server) counted() string {
	if _, ok := s.dialect.(mysqlDialect); ok {
		return "bigint AUTO_INCREMENT PRIMARY KEY"
	}
	return "bigserial PRIMARY KEY"
}

// moment is the type of an instant, with microseconds.
func (s server) moment() string {
	if _, ok := s.dialect.(mysqlDialect); ok {
		return "timestamp(6) NOT NULL DEFAULT now(6)"
	}
	return "timestamptz NOT NULL DEFAULT now()"
}

func TestSuite_servers(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		tables := map[string]*sql.DB{}
		_, kind, _ := New(Options{})
		triggertest.Suite{
			Kind: kind,
			Fields: func(t *testing.T) map[string]any {
				name, db := host.Database(t)
				dbtest.Exec(t, db, "CREATE TABLE runs (id "+s.counted()+", name text)", "INSERT INTO runs (name) VALUES ('old'), ('older')")
				url := host.URL(name)
				tables[url] = db
				return map[string]any{"url": url, "table_name": "runs", "poll_interval": "50ms"}
			},
			Happen: func(t *testing.T, fields map[string]any, n int) {
				dbtest.Exec(t, tables[fields["url"].(string)], fmt.Sprintf("INSERT INTO runs (name) VALUES ('%d')", n))
			},
		}.Run(t)
	})
}

func TestServers_report_rows_that_are_committed_late_or_tie_once(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id "+s.counted()+", name varchar(20))", "CREATE TABLE notes (id int PRIMARY KEY, at "+s.moment()+")")
		runs := onServer(t, host.URL(name), "runs", nil)
		notes := onServer(t, host.URL(name), "notes", map[string]any{"cursor": "at"})
		runs.start()
		stop := notes.start()
		runs.active()
		notes.active()

		early, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{"INSERT INTO runs (name) VALUES ('early')", "INSERT INTO notes VALUES (2, '2026-03-01 12:00:00')"} {
			if _, err := early.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		dbtest.Exec(t, db, "INSERT INTO runs (name) VALUES ('late')", "INSERT INTO notes VALUES (3, '2026-03-01 12:00:07')")
		runs.has("2")
		notes.until("the later note", func() bool { return len(notes.events) == 1 })
		if err := early.Commit(); err != nil {
			t.Fatal(err)
		}
		runs.has("2", "1")
		notes.until("the earlier note", func() bool { return len(notes.events) == 2 })
		stop()
		dbtest.Exec(t, db, "DELETE FROM notes WHERE id = 2", "INSERT INTO notes VALUES (1, '2026-03-01 12:00:07'), (4, '2026-03-01 12:00:07')")
		notes.start()
		notes.until("what ties with what was reported", func() bool { return len(notes.events) == 4 })
		notes.still(func() { dbtest.Exec(t, db, "DELETE FROM notes WHERE id = 3") })
		runs.still(func() { dbtest.Exec(t, db, "DELETE FROM runs", "UPDATE notes SET id = 9 WHERE id = 8") })
	})
}

// still says that nothing comes of something, in two polls more.
func (r *rig) still(poke func()) {
	r.t.Helper()
	before := len(r.rows())
	poke()
	polls := r.stats().Polls
	r.until("two polls more", func() bool { return r.stats().Polls > polls+1 })
	if after := len(r.rows()); after != before {
		r.t.Errorf("%d events came out of nothing", after-before)
	}
}

// write inserts rows in transactions that overlap, until the context ends. A row whose
// commit was not answered is tried again by its name, until it is there.
func (s server) write(ctx context.Context, db *sql.DB, writer int) error {
	insert := "INSERT INTO runs (name) VALUES ($1) ON CONFLICT DO NOTHING"
	if _, ok := s.dialect.(mysqlDialect); ok {
		insert = "INSERT IGNORE INTO runs (name) VALUES (?)"
	}
	r := rand.New(rand.NewPCG(uint64(writer), 1)) //nolint:gosec // a test
	for n := 0; ctx.Err() == nil; n++ {
		for done := false; !done; {
			done = s.insert(context.WithoutCancel(ctx), db, insert, fmt.Sprintf("%d-%d", writer, n), time.Duration(r.IntN(30))*time.Millisecond) == nil
			if !done {
				<-time.After(20 * time.Millisecond) // the server is away
			}
		}
		if r.IntN(3) == 0 { // a number of the sequence that is never used
			_ = s.insert(ctx, db, insert, "", -1)
		}
	}
	return nil
}

// insert inserts a row, and keeps the transaction open for a while; it is rolled back
// when that is negative.
func (server) insert(ctx context.Context, db *sql.DB, statement, name string, hold time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, statement, name); err != nil || hold < 0 {
		return err
	}
	<-time.After(hold)
	return tx.Commit()
}

// while runs writers beside what a test does.
func (s server) while(t *testing.T, db *sql.DB, writers int, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			if err := s.write(ctx, db, i); err != nil {
				t.Error(err)
			}
		})
	}
	f()
	cancel()
	all.Wait()
}

// each says that every row of runs is an event, once.
func (r *rig) each(db *sql.DB) {
	r.t.Helper()
	want := one[int](r.t, db, "SELECT count(*) FROM runs")
	r.until(fmt.Sprint(want, " events"), func() bool { return len(r.events) >= want })
	seen := map[any]bool{}
	for _, row := range r.rows() {
		if seen[row["name"]] {
			r.t.Errorf("%v is reported twice", row)
		}
		seen[row["name"]] = true
	}
	if len(seen) != want || want == 0 {
		r.t.Errorf("%d rows are reported of %d", len(seen), want)
	}
	r.t.Logf("%d rows", want)
}

func TestServers_lose_and_double_nothing_with_eight_writers_that_commit_out_of_order(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id "+s.counted()+", name varchar(20) UNIQUE)")
		r := onServer(t, host.URL(name), "runs", map[string]any{"start": "beginning", "limit": int64(20)})
		stop := r.start()
		s.while(t, db, 8, func() {
			for range 3 {
				<-time.After(500 * time.Millisecond)
				stop()
				stop = r.start()
			}
		})
		r.each(db)
	})
}

func TestServers_lose_and_double_nothing_when_killed_and_started_again_under_writers(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id "+s.counted()+", name varchar(20) UNIQUE)")
		r := onServer(t, host.URL(name), "runs", map[string]any{"start": "beginning"})
		r.start()
		r.active()
		s.while(t, db, 4, func() {
			for range 2 {
				<-time.After(300 * time.Millisecond)
				host.Kill(t)
				r.until("it is degraded, and says why", func() bool { return r.state == triggers.Degraded && r.reason != "" })
				host.Start(t)
				r.active()
			}
		})
		r.each(db)
	})
}

func TestServers_lose_and_double_nothing_when_the_network_is_cut(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		way := dbtest.NewProxy(t, host)
		dbtest.Exec(t, db, "CREATE TABLE runs (id "+s.counted()+", name varchar(20) UNIQUE)")
		url := host.URLAt(way.Address, dbtest.User, dbtest.Password, name)
		r := onServer(t, url, "runs", map[string]any{"start": "beginning", "query_timeout": "300ms"})
		r.start()
		r.active()
		s.while(t, db, 4, func() {
			for _, lose := range []func(){way.Cut, way.Stall} {
				<-time.After(300 * time.Millisecond)
				lose()
				r.until("it is degraded, and says why", func() bool { return r.state == triggers.Degraded && r.reason != "" })
				way.Restore()
				r.active()
			}
		})
		r.each(db)
	})
}

func TestServers_go_on_when_a_table_is_changed_and_say_when_it_is_gone(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY, name varchar(20), extra int)")
		r := onServer(t, host.URL(name), "runs", map[string]any{"start": "beginning"})
		r.start()
		r.active()
		dbtest.Exec(t, db, "INSERT INTO runs VALUES (1, 'a', 1)")
		r.has("1")
		dbtest.Exec(t, db, "ALTER TABLE runs DROP COLUMN extra", "ALTER TABLE runs ADD COLUMN more double precision", "INSERT INTO runs VALUES (2, 'b', 0.5)")
		r.has("1", "2")
		dbtest.Exec(t, db, "ALTER TABLE runs RENAME TO away")
		r.until("it fails and says that the table is gone", func() bool { return r.state == triggers.Failing && strings.Contains(r.reason, "runs") })
		dbtest.Exec(t, db, "DROP TABLE away", "CREATE TABLE runs (name varchar(20), id bigint PRIMARY KEY)", "INSERT INTO runs VALUES ('c', 2), ('d', 3)")
		r.has("1", "2", "3")
		r.active()
	})
}

func TestServers_are_asked_as_soon_as_PostgreSQL_notifies(t *testing.T) {
	host := dbtest.SharedPostgres(t)
	name, db := host.Database(t)
	dbtest.Exec(t, db, "CREATE TABLE runs (id bigserial PRIMARY KEY)")
	r := onServer(t, host.URL(name), "runs", map[string]any{"listen": "runs", "poll_interval": "1h", "start": "beginning"})
	r.start()
	r.active()
	eventually(t, "it listens", func() bool {
		return one[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN \"runs\"' AND datname = current_database()") == 1
	})
	for i := range 3 {
		dbtest.Exec(t, db, "INSERT INTO runs DEFAULT VALUES", "NOTIFY runs")
		r.until("the row, long before the next poll", func() bool { return len(r.events) == i+1 })
	}
}

func TestServers_that_are_not_heard_any_more_are_degraded_before_the_next_poll(t *testing.T) {
	host := dbtest.Postgres(t)
	name, db := host.Database(t)
	dbtest.Exec(t, db, "CREATE TABLE runs (id bigserial PRIMARY KEY)")
	r := onServer(t, host.URL(name), "runs", map[string]any{"listen": "runs", "poll_interval": "1h"})
	r.start()
	r.active()
	r.until("it has polled again, as it listens", func() bool { return r.stats().Polls >= 2 })
	host.Kill(t)
	r.until("it says what it doesn't hear", func() bool {
		return r.state == triggers.Degraded && strings.Contains(r.reason, "channel runs")
	})
	host.Start(t)
	dbtest.Exec(t, host.Open(t, name), "INSERT INTO runs DEFAULT VALUES") // nobody is notified of
	r.until("it hears again, and looks", func() bool { return r.state == triggers.Active && len(r.events) == 1 })
}

func TestServers_of_a_file_are_found_again_when_their_password_changes(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, db := host.Database(t)
		alter := "ALTER USER reader PASSWORD '%s'"
		create := []string{"CREATE TABLE runs (id int PRIMARY KEY)", "CREATE USER reader PASSWORD 'F1rst'", "GRANT SELECT ON runs TO reader"}
		if _, ok := s.dialect.(mysqlDialect); ok {
			alter = "ALTER USER reader@'127.0.0.1' IDENTIFIED BY '%s'"
			create[1], create[2] = "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'F1rst'", "GRANT SELECT ON "+name+".* TO reader@'127.0.0.1'"
		}
		dbtest.Exec(t, db, create...)
		file := filepath.Join(t.TempDir(), "url")
		write := func(password string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(host.URLFor("reader", password, name)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("F1rst")
		r := onServer(t, "", "runs", map[string]any{"url_file": file})
		delete(r.fields, "url")
		r.start()
		r.active()
		dbtest.Exec(t, db, fmt.Sprintf(alter, "S3cond"))
		host.Stop(t)
		host.Start(t)
		r.until("it may not come in", func() bool { return r.state == triggers.Failing })
		if strings.Contains(r.reason, "F1rst") {
			t.Errorf("the reason shows the password: %s", r.reason)
		}
		dbtest.Exec(t, host.Open(t, name), "INSERT INTO runs VALUES (1)")
		write("S3cond")
		r.has("1")
	})
}

func TestServers_never_show_a_password(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY)")
		const password = `Wr0ng/open?#@:%41+'"\ ü`
		url := host.URLFor(dbtest.User, password, name)
		forms := *newRedactor(must(parseURL(url))).forms
		hidden := func(what, text string) {
			t.Helper()
			for _, form := range forms {
				if strings.Contains(text, form) {
					t.Errorf("%s shows the password: %s", what, text)
				}
			}
			if strings.Contains(text, "Wr0ng") {
				t.Errorf("%s shows a part of the password: %s", what, text)
			}
		}
		r := onServer(t, url, "runs", nil)
		r.start()
		r.until("it fails", func() bool { return r.state == triggers.Failing })
		hidden("the reason", r.reason)
		made, err := triggers.Make(r.kind, r.fields)
		if err != nil {
			t.Fatal(err)
		}
		hidden("what is shown", fmt.Sprint(made.Secrets))
		hidden("the source", fmt.Sprintf("%v %+v %#v", made.Source, made.Source, made.Source.(*source).config))
		err = made.Source.(triggers.Checker).Check(t.Context())
		if err == nil {
			t.Fatal("a wrong password was accepted")
		}
		hidden("the check", err.Error())
		t.Log(r.reason, "|", err)
	})
}
