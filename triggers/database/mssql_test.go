package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

// No SQL Server can be had for these tests: they are about what is said, and not about
// what one would answer.

func TestMSSQL_writes_names_parameters_and_pages(t *testing.T) {
	d := mssqlDialect{}
	for name, want := range map[string]string{"runs": "[runs]", "a]b": "[a]]b]", "]; DROP TABLE x --": "[]]; DROP TABLE x --]"} {
		if got := d.quote(name); got != want {
			t.Errorf("%s is quoted as %s", name, got)
		}
	}
	for want, c := range map[string]column{
		"@p2":                           {class: classInteger, typ: "bigint"},
		"CAST(@p2 AS datetime2(7))":     {class: classWall, typ: mssqlType("datetime2", 8, 27, 7)},
		"CAST(@p2 AS datetime)":         {class: classWall, typ: mssqlType("datetime", 8, 23, 3)},
		"CAST(@p2 AS varchar(20))":      {class: classText, typ: mssqlType("varchar", 20, 0, 0)},
		"CAST(@p2 AS nvarchar(20))":     {class: classText, typ: mssqlType("nvarchar", 40, 0, 0)},
		"CAST(@p2 AS nvarchar(max))":    {class: classText, typ: mssqlType("nvarchar", -1, 0, 0)},
		"CAST(@p2 AS decimal(10,3))":    {class: classDecimal, typ: mssqlType("decimal", 9, 10, 3)},
		"CAST(@p2 AS uniqueidentifier)": {class: classUUID, typ: mssqlType("uniqueidentifier", 16, 0, 0)},
	} {
		if got := d.parameter(2, c); got != want {
			t.Errorf("a parameter for %s is %s, not %s", c.typ, got, want)
		}
	}
	if got := d.page("SELECT a FROM t ORDER BY a", 7); got != "SELECT a FROM t ORDER BY a OFFSET 0 ROWS FETCH NEXT 7 ROWS ONLY" {
		t.Errorf("a page is %s", got)
	}
	if got := mssqlName(tableName{"lab", "odd]name"}) + mssqlName(tableName{"", "runs"}); got != "[lab].[odd]]name][runs]" {
		t.Errorf("names are %s", got)
	}
}

func TestMSSQL_driver_reads_the_URL_as_it_is_meant(t *testing.T) {
	for text, want := range map[string]msdsn.Config{
		"mssql+pyodbc://lab:x@db/runs?driver=ODBC+Driver+18+for+SQL+Server": {Host: "db", User: "lab", Password: "x", Database: "runs", Encryption: msdsn.EncryptionRequired},
		"mssql+pyodbc://lab:x@db/runs?driver=ODBC+Driver+17+for+SQL+Server": {Host: "db", User: "lab", Password: "x", Database: "runs", Encryption: msdsn.EncryptionOff},
		"mssql+pyodbc://lab:p%40s%2F%3B%7D@db.lab:1444/runs?driver=ODBC+Driver+18&Encrypt=yes&TrustServerCertificate=yes": {
			Host: "db.lab", Port: 1444, User: "lab", Password: "p@s/;}", Database: "runs", Encryption: msdsn.EncryptionRequired,
		},
		"mssql://lab:x@[::1]:1433/runs?encrypt=disable": {Host: "::1", Port: 1433, User: "lab", Password: "x", Database: "runs", Encryption: msdsn.EncryptionDisabled},
		"sqlserver://lab:x@db/SQLEXPRESS?database=runs&encrypt=false": {
			Host: "db", Instance: "SQLEXPRESS", User: "lab", Password: "x", Database: "runs", Encryption: msdsn.EncryptionOff,
		},
	} {
		source, patience, err := mssqlSource(must(parseURL(text)))
		if err != nil || patience != connecting {
			t.Errorf("%s: %v, %v", text, patience, err)
			continue
		}
		c, err := msdsn.Parse(source)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := msdsn.Config{Host: c.Host, Port: c.Port, Instance: c.Instance, User: c.User, Password: c.Password, Database: c.Database, Encryption: c.Encryption}
		if c.AppName != "latticed" || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\ngot  %v\nwant %v", text, got, want)
		}
	}
	for text, want := range map[string]string{"mssql://db/runs": "names no user", "mssql://lab:x@db/runs?connect_timeout=soon": "connect_timeout"} {
		if _, _, err := mssqlSource(must(parseURL(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMSSQL_checks_certificates_of_who_asks_for_encryption_alone(t *testing.T) {
	for query, checks := range map[string]bool{
		"": false, "encrypt=no": false, "encrypt=yes": true, "encrypt=strict": true, "driver=ODBC+Driver+18+for+SQL+Server": true,
		"encrypt=yes&trustservercertificate=yes": false, "encrypt=no&trustservercertificate=no": true, "driver=ODBC+Driver+17+for+SQL+Server&Encrypt=no": false,
		"encrypt=strict&trustservercertificate=yes": true,
	} {
		source, _, err := mssqlSource(must(parseURL("mssql://lab:x@db/runs?" + query)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := msdsn.Parse(source)
		if err != nil || c.TLSConfig.InsecureSkipVerify == checks {
			t.Errorf("%s: %v, %+v", query, err, c.TLSConfig)
		}
	}
}

func TestMSSQL_values_are_typed(t *testing.T) {
	at := time.Date(2026, 3, 29, 1, 30, 0, 123456700, time.UTC)
	berlin := time.FixedZone("", 7200)
	for _, c := range []struct {
		typ       string
		from, out any
	}{
		{"BIGINT", int64(7), int64(7)},
		{"BIT", true, true},
		{"FLOAT", 0.5, 0.5},
		{"DECIMAL", []byte("1.50"), decimal("1.50")},
		{"MONEY", []byte("1.5000"), decimal("1.5000")},
		{"NVARCHAR", "ü", "ü"},
		{"VARBINARY", []byte{1, 2}, []byte{1, 2}},
		{"DATETIMEOFFSET", at.In(berlin), at},
		{"DATETIME2", at, wall{at}},
		{"DATE", at, "2026-03-29"},
		{"TIME", at, "01:30:00.1234567"},
		{"UNIQUEIDENTIFIER", []byte{0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8}, "01234567-89ab-cdef-0102-030405060708"},
	} {
		if diff := cmp.Diff(c.out, mssqlValue(c.typ, c.from), cmp.AllowUnexported(wall{})); diff != "" {
			t.Errorf("%s: %s", c.typ, diff)
		}
	}
	got := mssqlArgs([]any{nil, int64(1), at.In(berlin), wall{at}, decimal("1.5"), document("{}"), []byte{1}})
	want := []any{nil, int64(1), "2026-03-29T01:30:00.1234567Z", "2026-03-29T01:30:00.1234567", "1.5", "{}", []byte{1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMSSQL_judges_errors(t *testing.T) {
	for want, errs := range map[trouble][]error{
		troubleDenied:  {mssql.Error{Number: 18456}, mssql.Error{Number: 229}, &closedError{}},
		troubleMissing: {mssql.Error{Number: 208}, mssql.Error{Number: 207}, &absentError{}},
		troubleBusy:    {mssql.Error{Number: 1222}, mssql.Error{Number: 1205}, &slowError{time.Second}},
		troubleLost: {
			mssql.Error{Number: 40613},
			&lostError{mssql.Error{Number: 208}},
			mssql.StreamError{InnerError: io.EOF},
			io.EOF, context.DeadlineExceeded,
			&net.OpError{Op: "dial", Err: errors.New("refused")},
		},
		troubleOther: {mssql.Error{Number: 102}, errors.New("what is this")},
	} {
		for _, err := range errs {
			if got := (mssqlDialect{}).judge(fmt.Errorf("poll: %w", err)); got != want {
				t.Errorf("%#v is judged %v, not %v", err, got, want)
			}
		}
	}
}

func TestMSSQL_gives_up_what_is_no_server_in_time(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	a := must(parseURL("mssql://lab:Sesame99@" + l.Addr().String() + "/runs"))
	_, err = mssqlDialect{}.open(ctx, a)
	if err == nil || (mssqlDialect{}).judge(err) != troubleLost || strings.Contains(err.Error(), "Sesame") {
		t.Errorf("judged %v: %v", mssqlDialect{}.judge(err), err)
	}
	if took := time.Since(began); took > prompt {
		t.Errorf("it took %s", took)
	}
}
