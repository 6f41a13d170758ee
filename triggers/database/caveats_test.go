package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/database/dbtest"
)

// checked is what a trigger's check finds.
func checked(t *testing.T, kind triggers.Kind, fields map[string]any) (graph.Env, []string) {
	t.Helper()
	made, err := triggers.Make(kind, fields)
	if err != nil {
		t.Fatal(err)
	}
	s := made.Source.(*source)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	env, warnings := s.Described()
	var codes []string
	for _, w := range warnings {
		codes = append(codes, w.Code+": "+w.Message)
	}
	if probed, err := s.Probe(context.WithoutCancel(t.Context()), triggers.From{}); err != nil || s.mode == modeRows && !slices.Equal(probed.Warnings, warnings) {
		t.Errorf("a dry run warns of %v, %v", probed.Warnings, err)
	}
	return env, codes
}

// each runs statements one by one.
func each(w *writer, statements ...string) {
	for _, s := range statements {
		w.do(s)
	}
}

// indexed are tables of a database, by whether an index leads to what comes next by at.
var indexed = map[string][]string{
	"none":    {"CREATE TABLE none (id int NOT NULL PRIMARY KEY, at int NOT NULL)"},
	"second":  {"CREATE TABLE second (id int NOT NULL PRIMARY KEY, at int NOT NULL)", "CREATE INDEX i2 ON second (id, at)"},
	"right":   {"CREATE TABLE %s (id int NOT NULL PRIMARY KEY, at int NOT NULL)", "CREATE INDEX i3 ON %s (at, id)"},
	"alone":   {"CREATE TABLE alone (id int NOT NULL PRIMARY KEY, at int NOT NULL UNIQUE)"},
	"primary": {"CREATE TABLE %s (id int NOT NULL, at int NOT NULL, PRIMARY KEY (at, id))"},
}

func TestCaveats_a_cursor_without_an_index_is_warned_of(t *testing.T) {
	sqlite, database, _ := New(Options{})
	look := func(t *testing.T, exec func(string), quote func(string) string, kind triggers.Kind, fields map[string]any) {
		for name, statements := range indexed {
			for _, statement := range statements {
				exec(strings.ReplaceAll(statement, "%s", quote(name)))
			}
			fields["table_name"], fields["cursor"], fields["key"] = name, "at", "id"
			_, warnings := checked(t, kind, fields)
			missing := name == "none" || name == "second"
			want := fmt.Sprintf("no_index: no index of %s begins with at, so each look reads the whole table; whoever owns it can make one: CREATE INDEX ", name)
			if missing != (len(warnings) == 1) || missing && !strings.HasPrefix(warnings[0], want) {
				t.Errorf("%s: %v", name, warnings)
				continue
			}
			if missing { // what is proposed helps
				_, statement, _ := strings.Cut(warnings[0], "make one: ")
				exec(statement)
				if _, warnings := checked(t, kind, fields); len(warnings) > 0 {
					t.Errorf("%s: after %s: %v", name, statement, warnings)
				}
			}
		}
		exec("CREATE VIEW seen AS SELECT id, at FROM none") // of which nobody knows
		fields["table_name"] = "seen"
		if _, warnings := checked(t, kind, fields); slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, "no_index") }) {
			t.Errorf("a view: %v", warnings)
		}
		fields["table_name"], fields["mode"] = "none", "level"
		delete(fields, "cursor")
		if _, warnings := checked(t, kind, fields); len(warnings) > 0 {
			t.Errorf("level: %v", warnings)
		}
	}
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		look(t, func(sql string) { dbtest.Exec(t, db, sql) }, s.dialect.quote, database, map[string]any{"url": host.URL(name)})
	})
	t.Run("sqlite", func(t *testing.T) {
		path, w := lab(t, "delete")
		look(t, func(sql string) { w.do(sql) }, sqliteDialect{}.quote, sqlite, map[string]any{"db_path": path})
		each(w, "CREATE TABLE counted (id INTEGER PRIMARY KEY, at int)", "CREATE TABLE plain (at int)", "CREATE TABLE partial (id INTEGER PRIMARY KEY, at int NOT NULL)",
			"CREATE INDEX p ON partial (at) WHERE at > 5", "CREATE INDEX q ON partial (at + 1)")
		for table, want := range map[string]string{"counted": "", "plain": "rowid_cursor", "partial": "no_index"} {
			fields := map[string]any{"db_path": path, "table_name": table}
			if table == "partial" {
				fields["cursor"] = "at"
			}
			_, warnings := checked(t, sqlite, fields)
			if (want == "") != (len(warnings) == 0) || want != "" && !strings.HasPrefix(warnings[0], want) {
				t.Errorf("%s: %v", table, warnings)
			}
		}
	})
}

func TestCaveats_need_no_right_to_see_indexes(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, db := s.Database(t)
	reader := "reader_" + name
	dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY, at int NOT NULL)", "CREATE ROLE "+reader+" LOGIN PASSWORD 'x'", "GRANT SELECT ON runs TO "+reader,
		"REVOKE SELECT ON pg_catalog.pg_am FROM PUBLIC")
	t.Cleanup(func() { _, _ = db.Exec("DROP OWNED BY " + reader + "; DROP ROLE " + reader) })
	_, kind, _ := New(Options{})
	for user, want := range map[string]int{s.URL(name): 1, s.URLFor(reader, "x", name): 0} {
		_, warnings := checked(t, kind, map[string]any{"url": user, "table_name": "runs", "cursor": "at"})
		if len(warnings) != want {
			t.Errorf("%v", warnings)
		}
	}
}

func TestCaveats_of_a_table_with_thousands_of_indexes_cost_no_minute(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, db := s.Database(t)
	dbtest.Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY, at int NOT NULL)",
		"DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE INDEX ON runs ((at + %s))', i); END LOOP; END $$", "CREATE INDEX ON runs (at) WHERE at > 5")
	_, kind, _ := New(Options{})
	_, warnings := checked(t, kind, map[string]any{"url": s.URL(name), "table_name": "runs", "cursor": "at"})
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "no_index") {
		t.Errorf("%v", warnings)
	}
}

func TestCheck_finds_the_columns_that_expressions_may_name(t *testing.T) {
	path, w := lab(t, "delete")
	w.do("CREATE TABLE plates (id INTEGER PRIMARY KEY, wells int, name TEXT)")
	sqlite, _, _ := New(Options{})
	for columns, want := range map[string]string{"": "id name wells", "name": "name"} {
		fields := map[string]any{"db_path": path, "table_name": "plates"}
		if columns != "" {
			fields["columns"] = columns
		}
		env, _ := checked(t, sqlite, fields)
		var names []string
		for name := range env["row"].(graph.Env) {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want || env["key"].(graph.Env)["id"] != graph.Any {
			t.Errorf("columns %q: %v", columns, env)
		}
	}
}

func TestSource_is_failing_while_its_table_has_lost_what_expressions_name_and_no_row_is_rejected(t *testing.T) {
	run := func(t *testing.T, r *rig, exec func(...string)) {
		r.fits = func(env graph.Env) error {
			if env["row"].(graph.Env)["name"] == nil {
				return &graph.Invalid{Problems: []graph.Problem{{Path: "inputs.n", Message: "event.row has no name"}}}
			}
			return nil
		}
		exec("CREATE TABLE runs (id int PRIMARY KEY, name varchar(20), n int)")
		r.start()
		r.active()
		exec("INSERT INTO runs VALUES (1, 'a', 1)")
		r.has("1")
		exec("ALTER TABLE runs DROP COLUMN name", "INSERT INTO runs VALUES (2, 2)")
		r.until("it says so", func() bool { return r.state == triggers.Failing && strings.Contains(r.reason, "event.row has no name") })
		exec("ALTER TABLE runs ADD COLUMN name varchar(20)")
		r.has("1", "2")
		r.active()
	}
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		run(t, onServer(t, host.URL(name), "runs", nil), func(statements ...string) { dbtest.Exec(t, db, statements...) })
	})
	t.Run("sqlite", func(t *testing.T) {
		path, w := lab(t, "wal")
		run(t, on(t, path, "runs", nil), func(statements ...string) { each(w, statements...) })
	})
}
