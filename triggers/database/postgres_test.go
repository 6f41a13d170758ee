package database

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// dialects of servers that run here, with what differs in their SQL.
type server struct {
	name    string
	dialect dialect
	shared  func(testing.TB) *dbtest.Server
	own     func(testing.TB) *dbtest.Server
	sleep   string // a condition that is true after 20 s, or so
}

var servers = map[string]server{
	"postgres": {"postgres", postgresDialect{}, dbtest.SharedPostgres, dbtest.Postgres, "(SELECT count(*) FROM pg_sleep(200)) > 0"},
	"mariadb":  {"mariadb", mysqlDialect{}, dbtest.SharedMariaDB, dbtest.MariaDB, "SLEEP(200) = 0"},
}

func eachServer(t *testing.T, run func(t *testing.T, s server)) {
	t.Helper()
	for name, s := range servers {
		t.Run(name, func(t *testing.T) { run(t, s) })
	}
}

// connectTo opens a connection that is closed when the test ends.
func connectTo(t *testing.T, d dialect, url string) conn {
	t.Helper()
	c, err := d.open(t.Context(), must(parseURL(url)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	return c
}

// rowsOf reads all rows of a query.
func rowsOf(t *testing.T, c conn, query string, args ...any) (rows [][]any) {
	t.Helper()
	err := c.read(t.Context(), query, args, 10*time.Second, func(values []any) error {
		rows = append(rows, values)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return rows
}

func TestPostgres_values_are_typed_and_find_their_row_again(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, db := s.Database(t)
	dbtest.Exec(t, db, "CREATE TYPE colour AS ENUM ('red', 'deep blue')", "CREATE DOMAIN share AS numeric(5,2) NOT NULL", "CREATE TYPE pair AS (a int, b text)")
	at := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	for _, c := range []struct {
		typ, literal string
		class        class
		want         any
	}{
		{"smallint", "-32768", classInteger, int64(-32768)},
		{"integer", "2147483647", classInteger, int64(2147483647)},
		{"bigint", "-9223372036854775808", classInteger, int64(-9223372036854775808)},
		{"real", "0.1", classFloat, 0.1},
		{"double precision", "1e300", classFloat, 1e300},
		{"numeric", "12345678901234567890.123456789", classDecimal, decimal("12345678901234567890.123456789")},
		{"numeric(10,3)", "1.5", classDecimal, decimal("1.500")},
		{"numeric", "'NaN'", classDecimal, decimal("NaN")},
		{"share", "7", classDecimal, decimal("7.00")},
		{"text", "E'a\\nb ü'", classText, "a\nb ü"},
		{"varchar(10)", "''", classText, ""},
		{"char(4)", "'ab'", classText, "ab  "},
		{"boolean", "true", classBool, true},
		{"timestamptz", "'2026-03-29 03:30:00.123456+02'", classInstant, at},
		{"timestamptz", "'2026-03-29 01:30:00+00'", classInstant, at.Truncate(time.Second)},
		{"timestamptz", "'infinity'", classInstant, "infinity"},
		{"timestamp", "'2026-03-29 02:30:00.123456'", classWall, wall{at.Add(time.Hour)}},
		{"timestamp", "'0044-03-15 12:00:00 BC'", classWall, "0044-03-15 12:00:00 BC"},
		{"date", "'2026-03-29'", classDate, "2026-03-29"},
		{"time", "'23:59:59.5'", classOther, "23:59:59.5"},
		{"interval", "'1 day 2 hours'", classOther, "P1DT2H"},
		{"bytea", `'\x00ff27'`, classBytes, []byte{0, 0xff, 0x27}},
		{"json", `'{"b":1, "a":[true,null]}'`, classJSON, document(`{"b":1, "a":[true,null]}`)},
		{"jsonb", `'{"b":1, "a":[true,null]}'`, classJSON, document(`{"a": [true, null], "b": 1}`)},
		{"uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", classUUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"colour", "'deep blue'", classOther, "deep blue"},
		{"bit(4)", "B'1010'", classOther, "1010"},
		{"inet", "'10.0.0.0/8'", classOther, "10.0.0.0/8"},
		{"pair", "ROW(1,'x y')", classOther, `(1,"x y")`},
		{"int4range", "'[1,5)'", classOther, "[1,5)"},
		{"integer[]", "'{1,NULL,3}'", classJSON, document("[1,null,3]")},
		{"integer[]", "'{{1,2},{3,4}}'", classJSON, document("[[1,2],[3,4]]")},
		{"text[]", `ARRAY['a,b', 'q"\', 'NULL', '', NULL, '{}']`, classJSON, document(`["a,b","q\"\\","NULL","",null,"{}"]`)},
		{"text[]", "'{}'", classJSON, document("[]")},
		{"numeric[]", "'{1.50}'", classJSON, document(`["1.50"]`)},
		{"boolean[]", "'{t,f}'", classJSON, document("[true,false]")},
		{"double precision[]", "'{1.5,NaN}'", classJSON, document(`[1.5,"NaN"]`)},
		{"timestamptz[]", "'{2026-03-29 01:30:00+00}'", classJSON, document(`["2026-03-29T01:30:00.000000Z"]`)},
		{"jsonb[]", `ARRAY['{"a": 1}'::jsonb]`, classJSON, document(`[{"a":1}]`)},
		{"colour[]", `'{red,"deep blue"}'`, classJSON, document(`["red","deep blue"]`)},
		{"text", "NULL", classText, nil},
	} {
		t.Run(c.typ+" "+c.literal, func(t *testing.T) {
			conn := connectTo(t, postgresDialect{}, s.URL(name))
			dbtest.Exec(t, db, "DROP TABLE IF EXISTS v", "CREATE TABLE v (id int PRIMARY KEY, v "+c.typ+")", "INSERT INTO v VALUES (1, "+c.literal+")")
			table, err := conn.describe(t.Context(), tableName{name: "v"})
			if err != nil {
				t.Fatal(err)
			}
			if got := table.columns[1]; got.class != c.class {
				t.Errorf("%s is of class %s, not %s", got.typ, got.class, c.class)
			}
			got := rowsOf(t, conn, "SELECT v FROM v")[0][0]
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(wall{})); diff != "" {
				t.Fatal(diff)
			}
			if c.class != classJSON && got != nil && c.typ != "real" && c.typ != "pair" {
				where := "v = " + postgresDialect{}.parameter(1, table.columns[1])
				if n := len(rowsOf(t, conn, "SELECT id FROM v WHERE "+where, got)); n != 1 {
					t.Errorf("%v finds %d rows by %s", got, n, where)
				}
			}
		})
	}
}

func TestPostgres_describes_tables_as_the_catalogue_has_them(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, db := s.Database(t)
	dbtest.Exec(t, db,
		`CREATE TABLE "Odd ""Name" ("Key B" text, a int, "select" timestamptz NOT NULL, gone int, PRIMARY KEY (a, "Key B"))`,
		`ALTER TABLE "Odd ""Name" DROP COLUMN gone`,
		"CREATE SCHEMA bench", "CREATE TABLE bench.runs (id bigserial PRIMARY KEY, v float8)", "CREATE TABLE counted (v text, n int GENERATED ALWAYS AS IDENTITY)",
		"CREATE VIEW seen AS SELECT id, v FROM bench.runs", "CREATE MATERIALIZED VIEW kept AS SELECT * FROM bench.runs",
		"CREATE TABLE parts (id int NOT NULL) PARTITION BY RANGE (id)")
	c := connectTo(t, postgresDialect{}, s.URL(name))
	for _, want := range []struct {
		ask   tableName
		table table
	}{
		{tableName{"", `Odd "Name`}, table{
			schema: "public", name: `Odd "Name`, key: []string{"a", "Key B"},
			columns: []column{
				{"Key B", "text", classText, true}, {"a", "integer", classInteger, true}, {"select", "timestamp with time zone", classInstant, true},
			},
		}},
		{tableName{"bench", "runs"}, table{
			schema: "bench", name: "runs", key: []string{"id"}, serial: "id",
			columns: []column{{"id", "bigint", classInteger, true}, {"v", "double precision", classFloat, false}},
		}},
		{tableName{"BENCH", "Runs"}, table{
			schema: "bench", name: "runs", key: []string{"id"}, serial: "id",
			columns: []column{{"id", "bigint", classInteger, true}, {"v", "double precision", classFloat, false}},
		}},
		{tableName{"", "counted"}, table{
			schema: "public", name: "counted", serial: "n",
			columns: []column{{"v", "text", classText, false}, {"n", "integer", classInteger, true}},
		}},
		{tableName{"", "seen"}, table{
			schema: "public", name: "seen",
			columns: []column{{"id", "bigint", classInteger, false}, {"v", "double precision", classFloat, false}},
		}},
		{tableName{"public", "kept"}, table{
			schema: "public", name: "kept",
			columns: []column{{"id", "bigint", classInteger, false}, {"v", "double precision", classFloat, false}},
		}},
		{tableName{"", "parts"}, table{schema: "public", name: "parts", columns: []column{{"id", "integer", classInteger, true}}}},
	} {
		got, err := c.describe(t.Context(), want.ask)
		if err != nil {
			t.Errorf("%v: %v", want.ask, err)
			continue
		}
		if diff := cmp.Diff(want.table, got, cmp.AllowUnexported(table{}, column{}), cmpopts.IgnoreFields(table{}, "indexes")); diff != "" {
			t.Errorf("%v:\n%s", want.ask, diff)
		}
	}
	for ask, hint := range map[tableName]string{
		{"", "count"}: "did you mean counted?", {"", "runs"}: "did you mean bench.runs?", {"bnech", "runs"}: "did you mean bench.runs?", {"", "nothing_like_it"}: "there is no table nothing_like_it",
		{"", `"; DROP TABLE counted; --`}: "there is no table",
	} {
		_, err := c.describe(t.Context(), ask)
		if err == nil || !strings.Contains(err.Error(), hint) || (postgresDialect{}).judge(err) != troubleMissing {
			t.Errorf("%v: %v", ask, err)
		}
	}
}
