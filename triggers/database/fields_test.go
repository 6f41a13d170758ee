package database

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// problemsOf are "path: message" of everything that was refused.
func problemsOf(t *testing.T, err error) []string {
	t.Helper()
	var invalid *graph.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("%v is no *graph.Invalid", err)
	}
	var all []string
	for _, p := range invalid.Problems {
		all = append(all, p.Path+": "+p.Message)
	}
	slices.Sort(all)
	return all
}

func TestFields_that_are_wrong_are_refused_all_at_once(t *testing.T) {
	sqlite, database, _ := New(Options{})
	for name, c := range map[string]struct {
		kind   triggers.Kind
		fields map[string]any
		want   []string
	}{
		"nothing":  {sqlite, map[string]any{}, []string{"db_path: is missing", "table_name: is missing"}},
		"relative": {sqlite, map[string]any{"db_path": "lab.db", "table_name": "t"}, []string{"db_path: must be an absolute path"}},
		"server":   {sqlite, map[string]any{"db_path": "postgresql://h/d", "table_name": "t"}, []string{"db_path: is the URL of a server"}},
		"all": {sqlite, map[string]any{
			"db_path": "/l.db", "table_name": "a.b.c", "poll_interval": "10ms", "where_clauses": []any{"a", "b; c"}, "mode": "row",
			"limit": int64(0), "query_timeout": "1ms", "url": "x",
		}, []string{
			"limit: must be between", "mode: must be one of rows, level", "poll_interval: must be at least 50ms", "query_timeout: must be at least",
			"table_name: must be a table, or schema.table", "url: unknown field", "where_clauses[1]: has a ;",
		}},
		"level": {sqlite, map[string]any{"db_path": "/l.db", "table_name": "t", "mode": "level", "cursor": "a", "start": "now"}, []string{
			"cursor: means nothing with mode: level", "start: means nothing with mode: level",
		}},
		"rows":   {sqlite, map[string]any{"db_path": "/l.db", "table_name": "t", "trigger_after_n": int64(3)}, []string{"trigger_after_n: counts polls"}},
		"no url": {database, map[string]any{"table_name": "t"}, []string{"url: say which database"}},
		"two":    {database, map[string]any{"table_name": "t", "url": "postgresql://h/d", "url_env": "X"}, []string{"url_env: give one of"}},
		"env":    {database, map[string]any{"table_name": "t", "url_env": "NOT A NAME"}, []string{"url_env: must be the name of a variable"}},
		"file":   {database, map[string]any{"table_name": "t", "url_file": "x"}, []string{"url_file: must be an absolute path"}},
		"listen": {database, map[string]any{"table_name": "t", "url": "mysql://h/d", "listen": "c"}, []string{"listen: only PostgreSQL has channels"}},
	} {
		_, err := triggers.Make(c.kind, c.fields)
		got := problemsOf(t, err)
		if len(got) != len(c.want) || slices.ContainsFunc(c.want, func(want string) bool {
			return !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, want) })
		}) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestFields_with_a_password_are_shown_without_it(t *testing.T) {
	_, database, _ := New(Options{})
	made, err := triggers.Make(database, map[string]any{"url": "postgresql+psycopg2://me:hunter22@h/d", "table_name": "t"})
	if err != nil {
		t.Fatal(err)
	}
	if got := made.Secrets["url"]; got != "postgresql://me:***@h/d" {
		t.Errorf("shown is %q", got)
	}
	_, err = triggers.Make(database, map[string]any{"url": "postgresql://me:hunter22@h:port/d", "table_name": "t"})
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hunter22") {
		t.Errorf("the error of a broken URL tells the password, or there is none: %v", err)
	}
}

func TestTableNames(t *testing.T) {
	for text, want := range map[string]tableName{
		"runs": {"", "runs"}, "lab.runs": {"lab", "runs"}, `"a.b".c`: {"a.b", "c"}, `"a.b"`: {"", "a.b"}, "with space": {"", "with space"},
	} {
		if got, err := parseTableName(text); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"a.", ".a", "a.b.c", `"a`, `"a"b`, `""`, "a\x00"} {
		if got, err := parseTableName(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestCheck_refuses_what_does_not_fit_the_database(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("CREATE TABLE keyless (a INTEGER, at TEXT)")
	w.do("CREATE VIEW seen AS SELECT * FROM samples")
	w.do("CREATE TABLE words (word TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID")
	w.do("CREATE TABLE docs (id TEXT PRIMARY KEY, body JSON)")
	for name, c := range map[string]struct {
		fields map[string]any
		want   []string
	}{
		"fits":          {map[string]any{"table_name": "samples"}, nil},
		"capitals":      {map[string]any{"table_name": "SAMPLES", "cursor": "AT"}, nil},
		"rowid":         {map[string]any{"table_name": "keyless"}, nil},
		"level":         {map[string]any{"table_name": "seen", "mode": "level"}, nil},
		"schema":        {map[string]any{"table_name": "main.samples"}, nil},
		"no table":      {map[string]any{"table_name": "sample"}, []string{"table_name: there is no table sample; did you mean samples?"}},
		"other schema":  {map[string]any{"table_name": "other.samples"}, []string{"table_name: there is no table other.samples"}},
		"no columns":    {map[string]any{"table_name": "samples", "cursor": "att", "columns": []any{"name", "ix"}, "key": "id"}, []string{`columns[1]: samples has no column "ix"`, `cursor: samples has no column "att"; did you mean at?`}},
		"no key":        {map[string]any{"table_name": "seen"}, []string{"cursor: seen has no single column that grows", "key: seen has no primary key"}},
		"no order":      {map[string]any{"table_name": "words"}, []string{"cursor: words has no single column that grows"}},
		"JSON order":    {map[string]any{"table_name": "docs", "cursor": "body"}, []string{"cursor: body is of type JSON, which has no order"}},
		"clause":        {map[string]any{"table_name": "samples", "where_clauses": "nam = 1"}, []string{"where_clauses: no such column: nam"}},
		"start":         {map[string]any{"table_name": "samples", "start": "yesterday"}, []string{"start: id is of type INTEGER: give a whole number"}},
		"starts":        {map[string]any{"table_name": "samples", "start": []any{int64(1), int64(2)}}, []string{"start: has 2 values and there are 1 cursor columns"}},
		"level clauses": {map[string]any{"table_name": "seen", "mode": "level", "where_clauses": "nam = 1"}, []string{"where_clauses: no such column: nam"}},
	} {
		fields := map[string]any{"db_path": path}
		maps.Copy(fields, c.fields)
		sqlite, _, stats := New(Options{})
		made, err := triggers.Make(sqlite, fields)
		if err != nil {
			t.Fatal(name, err)
		}
		err = made.Source.(triggers.Checker).Check(t.Context())
		if c.want == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		got := problemsOf(t, err)
		for i, want := range c.want {
			if len(got) != len(c.want) || !strings.HasPrefix(got[i], want) {
				t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				break
			}
		}
		if s := stats(); s.Databases != 0 || s.Connections != 0 {
			t.Errorf("%s: a question has left %+v", name, s)
		}
	}
}

func TestCheck_refuses_files_that_are_not_for_triggers(t *testing.T) {
	path, _ := lab(t, "wal")
	for name, c := range map[string]struct {
		options Options
		path    string
		want    string
	}{
		"missing":      {Options{}, path + "x", "db_path: can't be reached"},
		"own database": {Options{Own: path}, path, "latticed's own database"},
		"outside":      {Options{Roots: []string{t.TempDir()}}, path, "outside of the folders that paths.watch"},
	} {
		sqlite, _, _ := New(c.options)
		made, err := triggers.Make(sqlite, map[string]any{"db_path": c.path, "table_name": "samples"})
		if err != nil {
			t.Fatal(err)
		}
		got := problemsOf(t, made.Source.(triggers.Checker).Check(t.Context()))
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
	}
}

// A file that somebody has locked is there: the trigger is taken, and waits.
func TestCheck_takes_a_file_that_is_locked(t *testing.T) {
	path, w := lab(t, "delete")
	sqlite, _, _ := New(Options{})
	made, err := triggers.Make(sqlite, map[string]any{"db_path": path, "table_name": "samples"})
	if err != nil {
		t.Fatal(err)
	}
	w.do("BEGIN EXCLUSIVE")
	if err := made.Source.(triggers.Checker).Check(t.Context()); err != nil {
		t.Error(err)
	}
}
