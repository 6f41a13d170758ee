package database

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

func TestMySQL_values_are_typed_and_find_their_row_again(t *testing.T) {
	s := dbtest.SharedMariaDB(t)
	name, db := s.Database(t)
	at := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	for _, c := range []struct {
		typ, literal string
		class        class
		want         any
	}{
		{"tinyint", "-128", classInteger, int64(-128)},
		{"tinyint(1)", "1", classInteger, int64(1)},
		{"mediumint", "-8388608", classInteger, int64(-8388608)},
		{"int", "2147483647", classInteger, int64(2147483647)},
		{"int unsigned", "4294967295", classInteger, int64(4294967295)},
		{"bigint", "-9223372036854775808", classInteger, int64(-9223372036854775808)},
		{"bigint unsigned", "9223372036854775807", classInteger, int64(9223372036854775807)},
		{"bigint unsigned", "18446744073709551615", classInteger, decimal("18446744073709551615")},
		{"year", "2026", classInteger, int64(2026)},
		{"bit(10)", "b'1000000001'", classInteger, int64(513)},
		{"bit(64)", "b'1111111111111111111111111111111111111111111111111111111111111111'", classInteger, decimal("18446744073709551615")},
		{"float", "0.1", classFloat, 0.1},
		{"double", "1e300", classFloat, 1e300},
		{"decimal(38,10)", "1234567890123456789012345678.0123456789", classDecimal, decimal("1234567890123456789012345678.0123456789")},
		{"decimal(10,3)", "1.5", classDecimal, decimal("1.500")},
		{"text", `'a\nb ü'`, classText, "a\nb ü"},
		{"varchar(10)", "''", classText, ""},
		{"char(4)", "'ab'", classText, "ab"},
		{"varchar(10) CHARACTER SET latin1", "'ü'", classText, "ü"},
		{"timestamp(6) NULL", "'2026-03-28 21:30:00.123456'", classInstant, at}, // the server is 4 hours behind
		{"datetime(6)", "'2026-03-29 02:30:00.123456'", classWall, wall{at.Add(time.Hour)}},
		{"datetime", "'0000-00-00 00:00:00'", classWall, "0000-00-00 00:00:00"},
		{"datetime", "'2026-00-00 00:00:00'", classWall, "2026-00-00 00:00:00"},
		{"date", "'2026-03-29'", classDate, "2026-03-29"},
		{"date", "'0000-00-00'", classDate, "0000-00-00"},
		{"time(1)", "'-838:59:58.9'", classOther, "-838:59:58.9"},
		{"blob", `x'00ff27'`, classBytes, []byte{0, 0xff, 0x27}},
		{"varbinary(4)", `x'00ff'`, classBytes, []byte{0, 0xff}},
		{"enum('red','deep blue')", "'deep blue'", classUnordered, "deep blue"},
		{"set('a','b')", "'a,b'", classUnordered, "a,b"},
		{"uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", classUUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"inet6", "'::1'", classOther, "::1"},
		{"text", "NULL", classText, nil},
	} {
		t.Run(c.typ+" "+c.literal, func(t *testing.T) {
			conn := connectTo(t, mysqlDialect{}, s.URL(name))
			dbtest.Exec(t, db, "DROP TABLE IF EXISTS v", "CREATE TABLE v (id int PRIMARY KEY, v "+c.typ+")",
				"SET STATEMENT sql_mode = '' FOR INSERT INTO v VALUES (1, "+c.literal+")")
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
			if got != nil {
				where := "v = " + mysqlDialect{}.parameter(1, table.columns[1])
				if n := len(rowsOf(t, conn, "SELECT id FROM v WHERE "+where, got)); n != 1 {
					t.Errorf("%v finds %d rows by %s", got, n, where)
				}
			}
		})
	}
}

func TestMySQL_describes_tables_as_the_catalogue_has_them(t *testing.T) {
	s := dbtest.SharedMariaDB(t)
	name, db := s.Database(t)
	other, _ := s.Database(t)
	dbtest.Exec(t, db,
		"CREATE TABLE `Odd ``Name` (`Key B` varchar(9), a int, `select` timestamp NOT NULL, PRIMARY KEY (a, `Key B`))",
		"CREATE TABLE "+other+".runs (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, v double, j json, `k``j` json NOT NULL)",
		"CREATE VIEW seen AS SELECT id, v FROM "+other+".runs", "CREATE TABLE Runs (id int)", "CREATE TABLE counted (a int, b int, PRIMARY KEY (b))")
	c := connectTo(t, mysqlDialect{}, s.URL(name))
	for _, want := range []struct {
		ask   tableName
		table table
	}{
		{tableName{"", "Odd `Name"}, table{
			schema: name, name: "Odd `Name", key: []string{"a", "Key B"},
			columns: []column{{"Key B", "varchar(9)", classText, true}, {"a", "int(11)", classInteger, true}, {"select", "timestamp", classInstant, true}},
		}},
		{tableName{other, "runs"}, table{
			schema: other, name: "runs", key: []string{"id"}, serial: "id",
			columns: []column{
				{"id", "bigint(20) unsigned", classInteger, true},
				{"v", "double", classFloat, false},
				{"j", "longtext", classJSON, false},
				{"k`j", "longtext", classJSON, true},
			},
		}},
		{tableName{"", "seen"}, table{
			schema: name, name: "seen", columns: []column{{"id", "bigint(20) unsigned", classInteger, true}, {"v", "double", classFloat, false}},
		}},
		{tableName{"", "Runs"}, table{schema: name, name: "Runs", columns: []column{{"id", "int(11)", classInteger, false}}}},
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
		{"", "count"}: "did you mean counted?", {other, "run"}: "did you mean " + other + ".runs?", {"", "nothing_like_it"}: "there is no table nothing_like_it",
		{"", "`; DROP TABLE counted; --"}: "there is no table", {"nowhere", "runs"}: "there is no table nowhere.runs",
	} {
		_, err := c.describe(t.Context(), ask)
		if err == nil || !strings.Contains(err.Error(), hint) || (mysqlDialect{}).judge(err) != troubleMissing {
			t.Errorf("%v: %v", ask, err)
		}
	}
}

func TestMySQL_columns_that_are_sorted_otherwise_than_compared_order_no_rows(t *testing.T) {
	s := dbtest.SharedMariaDB(t)
	name, db := s.Database(t)
	dbtest.Exec(t, db, "CREATE TABLE runs (id int, state enum('z','a') NOT NULL, PRIMARY KEY (id, state))")
	described, err := connectTo(t, mysqlDialect{}, s.URL(name)).describe(t.Context(), tableName{name: "runs"})
	if err != nil {
		t.Fatal(err)
	}
	for want, w := range map[string]wish{
		"cursor: state is of type enum": {mode: modeRows, cursor: []string{"state"}, key: []string{"id"}},
		"key: state is of type enum":    {mode: modeRows, cursor: []string{"id"}},
	} {
		if _, err := lay(described, w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", w, err)
		}
	}
	if _, err := lay(described, wish{mode: modeRows, cursor: []string{"id"}, key: []string{"id"}}); err != nil {
		t.Error(err)
	}
}

func TestMySQL_ends_no_statement_that_is_not_its_own(t *testing.T) {
	s := dbtest.SharedMariaDB(t)
	name, db := s.Database(t)
	mine := connectTo(t, mysqlDialect{}, s.URL(name)).(*mysqlConn)
	other := connectTo(t, mysqlDialect{}, s.URL(name)).(*mysqlConn)
	done := make(chan error, 1)
	go func() { done <- other.read(t.Context(), "SELECT SLEEP(2)", nil, prompt, nothing) }()
	eventually(t, "the other statement runs", func() bool {
		return one[int](t, db, "SELECT count(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(2)%' AND ID <> CONNECTION_ID()") == 1
	})
	mine.id = other.id // as behind a balancer, where the number is somebody else's
	if err := mine.interrupt(t.Context()); err == nil {
		t.Error("it ended something")
	}
	if err := <-done; err != nil {
		t.Errorf("the other statement was ended: %v", err)
	}
}
