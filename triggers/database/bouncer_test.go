package database

import (
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/database/dbtest"
)

// bounced is a rig over table runs of a new database behind a PgBouncer.
func bounced(t *testing.T, s *dbtest.Server, mode string, over map[string]any) (r *rig, b *dbtest.Server, exec func(...string)) {
	t.Helper()
	name, db := s.Database(t)
	dbtest.Exec(t, db, "CREATE TABLE runs (id bigint PRIMARY KEY, took interval, raw bytea, at timestamptz)")
	b = dbtest.Bouncer(t, s, mode)
	fields := map[string]any{"url": b.URL(name), "table_name": "runs", "poll_interval": "50ms"}
	for k, v := range over {
		fields[k] = v
	}
	_, database, stats := New(Options{})
	r = newRig(t, fields)
	r.kind, r.stats = database, stats
	return r, b, func(statements ...string) {
		t.Helper()
		dbtest.Exec(t, s.Open(t, name), statements...)
	}
}

func TestBouncer_is_no_hindrance(t *testing.T) {
	s := dbtest.Postgres(t)
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			r, b, exec := bounced(t, s, mode, nil)
			r.start()
			r.active()
			exec(`INSERT INTO runs VALUES (1, '1 day 2 hours', '\x00ff', '2026-03-29 03:30:00+02')`)
			r.has("1")
			row := r.rows()[0]
			if row["took"] != "P1DT2H" || row["at"] != "2026-03-29T01:30:00.000000Z" {
				t.Errorf("values are written otherwise: %v", row)
			}
			for i, f := range []func(){
				func() { b.Kill(t); exec("INSERT INTO runs VALUES (2)"); b.Start(t) },
				func() { s.Kill(t); s.Start(t); exec("INSERT INTO runs VALUES (3)") },
				func() {
					exec("INSERT INTO runs VALUES (4)", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'latticed'")
				},
			} {
				f()
				r.has([]string{"1", "2", "3", "4"}[:i+2]...)
			}
		})
	}
}

func TestBouncer_lets_a_condition_be_seen(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	r, _, exec := bounced(t, s, "transaction", map[string]any{"mode": "level", "trigger_after_n": int64(2)})
	r.start()
	r.active()
	exec("INSERT INTO runs VALUES (1)")
	r.until("some events", func() bool { return len(r.events) >= 2 })
}

func TestBouncer_that_ends_slow_statements_does_so_on_the_server(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	r, _, exec := bounced(t, s, "transaction", map[string]any{"where_clauses": servers["postgres"].sleep, "query_timeout": "300ms"})
	exec("INSERT INTO runs VALUES (1)")
	r.start()
	r.until("it is too slow", func() bool { return r.state == triggers.Degraded && strings.Contains(r.reason, "statement timeout") })
}

func TestBouncer_between_is_noticed_by_who_listens(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	for mode, hears := range map[string]bool{"transaction": false, "session": true} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r, _, exec := bounced(t, s, mode, map[string]any{"listen": "new_runs", "poll_interval": "1h"})
			r.start()
			if hears {
				r.active()
				r.until("it listens", func() bool { return r.runs >= 2 })
				exec("INSERT INTO runs VALUES (1)", "NOTIFY new_runs")
				r.has("1")
				return
			}
			r.until("it says that it is deaf", func() bool {
				return r.state == triggers.Degraded && strings.Contains(r.reason, "does not hear channel new_runs and polls only: a pooler such as PgBouncer stands between")
			})
		})
	}
}

func TestBouncer_says_what_it_does_not_want(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, _ := s.Database(t)
	b := dbtest.Bouncer(t, s, "statement")
	d := postgresDialect{}
	for url, want := range map[string]struct {
		words string
		trouble
	}{
		b.URL(name): {"not allowed in statement pooling mode", troubleOther},
		b.URL(name) + "?options=-csearch_path%3Dx": {"unsupported startup parameter: options", troubleOther},
		b.URL("no_such_database"):                  {"does not exist", troubleMissing},
		b.URLFor(dbtest.User, "Wr0ng", name):       {"authentication failed", troubleDenied},
		b.URLFor("nobody", "Wr0ng", name):          {"authentication failed", troubleDenied},
	} {
		c, err := d.open(t.Context(), must(parseURL(url)))
		if err == nil {
			err = c.read(t.Context(), "SELECT 1", nil, time.Second, func([]any) error { return nil })
			_ = c.close()
		}
		if err == nil || !strings.Contains(err.Error(), want.words) || d.judge(err) != want.trouble || strings.Contains(err.Error(), "Wr0ng") {
			t.Errorf("judged %v: %v", d.judge(err), err)
		}
	}
}
