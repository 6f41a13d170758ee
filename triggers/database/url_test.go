package database

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL_reads_what_SQLAlchemy_libpq_and_the_drivers_write(t *testing.T) {
	pg, my, ms := enginePostgres, engineMySQL, engineMSSQL
	none := map[string]string{}
	for text, want := range map[string]address{
		"postgresql://lab:secret@db.lab:5433/runs":          {engine: pg, user: "lab", password: hide("secret"), host: "db.lab", port: 5433, database: "runs", options: none},
		"postgresql+psycopg2://lab:secret@db/runs":          {engine: pg, user: "lab", password: hide("secret"), host: "db", database: "runs", options: none},
		"POSTGRES://lab@db/runs":                            {engine: pg, user: "lab", host: "db", database: "runs", options: none},
		"postgresql+asyncpg://lab:p%40s%2Fs%3A%25@db/a%20b": {engine: pg, user: "lab", password: hide("p@s/s:%"), host: "db", database: "a b", options: none},
		"postgresql://lab:p@ss:word@db/runs":                {engine: pg, user: "lab", password: hide("p@ss:word"), host: "db", database: "runs", options: none},
		"postgresql://lab:a+b@db/runs":                      {engine: pg, user: "lab", password: hide("a+b"), host: "db", database: "runs", options: none},
		"postgresql://[2001:db8::1]:5433/runs":              {engine: pg, host: "2001:db8::1", port: 5433, database: "runs", options: none},
		"postgresql://lab@[::1]/runs?sslmode=Require":       {engine: pg, user: "lab", host: "::1", database: "runs", options: map[string]string{"sslmode": "require"}},
		"postgresql:///runs?host=/run/postgresql&port=5433": {engine: pg, socket: "/run/postgresql", port: 5433, database: "runs", options: none},
		"postgresql://%2Frun%2Fpostgresql/runs":             {engine: pg, socket: "/run/postgresql", database: "runs", options: none},
		"postgresql:///?user=lab&password=p%26q&dbname=x":   {engine: pg, user: "lab", password: hide("p&q"), database: "x", options: none},
		"postgresql://db":                                   {engine: pg, host: "db", options: none},
		"  postgresql://db/runs\n":                          {engine: pg, host: "db", database: "runs", options: none},
		"mysql+pymysql://lab:secret@db:3307/runs?charset=utf8mb4": {
			engine: my, user: "lab", password: hide("secret"), host: "db", port: 3307, database: "runs", options: map[string]string{"charset": "utf8mb4"},
		},
		"mariadb+mariadbconnector://lab@/runs?unix_socket=/run/mysqld/mysqld.sock": {engine: my, user: "lab", socket: "/run/mysqld/mysqld.sock", database: "runs", options: none},
		"mysql://lab@db/runs?tls=skip-verify":                                      {engine: my, user: "lab", host: "db", database: "runs", options: map[string]string{"ssl_mode": "required"}},
		"mssql+pyodbc://lab:secret@db:1433/runs?driver=ODBC+Driver+18+for+SQL+Server&TrustServerCertificate=yes": {
			engine: ms, user: "lab", password: hide("secret"), host: "db", port: 1433, database: "runs",
			options: map[string]string{"driver": "ODBC Driver 18 for SQL Server", "trustservercertificate": "true"},
		},
		"mysql+pymysql://lab@db/runs?charset=utf8mb4&ssl_ca=/ca.pem&ssl_check_hostname=true&local_infile=0": {
			engine: my, user: "lab", host: "db", database: "runs", options: map[string]string{"charset": "utf8mb4", "ssl_ca": "/ca.pem", "ssl_mode": "verify_identity"},
		},
		"mysql+mysqlconnector://lab@db/runs?ssl_ca=/ca.pem&ssl_check_hostname=false": {engine: my, user: "lab", host: "db", database: "runs", options: map[string]string{"ssl_ca": "/ca.pem"}},
		"mysql://lab@db/runs?ssl=true":                                                       {engine: my, user: "lab", host: "db", database: "runs", options: map[string]string{"ssl_mode": "required"}},
		"mysql://lab@db/runs?ssl_disabled=True":                                              {engine: my, user: "lab", host: "db", database: "runs", options: map[string]string{"ssl_mode": "disabled"}},
		"mysql://lab@db/runs?ssl_verify_cert=1&ssl=on":                                       {engine: my, user: "lab", host: "db", database: "runs", options: map[string]string{"ssl_mode": "verify_ca"}},
		"mysql://lab@db/runs?ssl_mode=REQUIRED&ssl=1":                                        {engine: my, user: "lab", host: "db", database: "runs", options: map[string]string{"ssl_mode": "required"}},
		"postgresql+psycopg2://db/runs?client_encoding=utf8&keepalives=1&keepalives_idle=30": {engine: pg, host: "db", database: "runs", options: none},
		"postgresql+asyncpg://db/runs?ssl=require&prepared_statement_cache_size=0":           {engine: pg, host: "db", database: "runs", options: map[string]string{"sslmode": "require"}},
		"mssql+pymssql://lab:secret@db/runs?charset=utf8&trusted_connection=no":              {engine: ms, user: "lab", password: hide("secret"), host: "db", database: "runs", options: none},
		"sqlserver://lab:secret@db/SQLEXPRESS?database=runs":                                 {engine: ms, user: "lab", password: hide("secret"), host: "db", database: "runs", options: map[string]string{"instance": "SQLEXPRESS"}},
		"sqlserver://lab:secret@db?database=runs":                                            {engine: ms, user: "lab", password: hide("secret"), host: "db", database: "runs", options: none},
		"sqlite:////srv/lab/runs.db":                                                         {engine: engineSQLite, database: "/srv/lab/runs.db"},
		"sqlite+pysqlite:////srv/a%20b.db?mode=ro":                                           {engine: engineSQLite, database: "/srv/a b.db"},
	} {
		got, err := parseURL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got.written = hidden{}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(address{}, hidden{})); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
}

func TestParseURL_says_what_is_wrong_and_shows_no_part_that_may_be_a_password(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "is not a URL",
		"Sesame99":                             "is not a URL",
		"postgress://u:Sesame99@h/d":           "did you mean postgres://?",
		"oracle://u:Sesame99@h/d":              "begins with a name that is none of",
		"postgresql:u:Sesame99@h/d":            "is not a URL",
		"postgresql://u:Sesa\nme99@h/d":        "control character",
		"postgresql://u:Sesame#99@h/d":         "written %23",
		"postgresql://u:Sesame/99@h/d":         "written %2F",
		"postgresql://u:12/Sesame99@h/d":       "written %2F",
		"postgresql://u:1?Sesame99@h/d":        "%3F",
		"postgresql://u:p@h/Sesame99@d":        "written %2F",
		"postgresql://u:Sesame99%@h/d":         "the password has a %",
		"postgresql://u:Sesame99%zz@h/d":       "the password has a %",
		"postgresql://u%zz:Sesame99@h/d":       "the user has a %",
		"postgresql://u:Sesame99":              "no number from 1 to 65535",
		"postgresql://h:0/d":                   "no number from 1 to 65535",
		"postgresql://h:65536/d":               "no number from 1 to 65535",
		"postgresql://u:Sesame99@[::1/d":       "IPv6",
		"postgresql://u:Sesame99@[h]/d":        "IPv6",
		"postgresql://u:Sesame99@a,b/d":        "several hosts",
		"postgresql://u:Sesame99@a/d?host=b":   "two hosts",
		"postgresql://h/d?host=a,b":            "two hosts",
		"postgresql:///d?host=a,b":             "several hosts",
		"postgresql://h/d?Sesame99":            "none of host",
		"postgresql://h/d?sslmod=Sesame99":     "did you mean sslmode?",
		"postgresql://h/d?sslmode=Sesame99":    "none of allow, disable",
		"postgresql://h/d?sslmode=%zz":         "the value of an option",
		"postgresql://h/d?port=1&port=2":       "port twice",
		"postgresql://h/d?dbname=e":            "two databases",
		"mysql://u:Sesame99@h/":                "names no database",
		"mysql://h/d?unix_socket=x.sock":       "not absolute",
		"mssql+pyodbc:///?odbc_connect=PWD%3D": "write mssql://",
		"mssql://h/d?trusted_connection=yes":   "Windows' own login",
		"mysql://h/d?ssl=true&ssl_disabled=1":  "some ask for TLS and some for none",
		"mysql://h/d?ssl_mode=disabled&ssl=1":  "says something else",
		"mysql://h/d?ssl_verify_cert=Sesame99": "none of false, true",
		"sqlite:///runs.db":                    "four slashes",
		"sqlite://":                            "names no file",
		"sqlite:///:memory:":                   "names no file",
		"sqlite://host/x.db":                   "second and third",
		"sqlite:////x.db?immutable=1":          "unseen",
	} {
		a, err := parseURL(text)
		if err == nil {
			t.Errorf("%s: was taken as %v", text, a)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "esame") || strings.Contains(err.Error(), "99") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseFile_takes_a_path_or_a_URL_of_a_file(t *testing.T) {
	for text, want := range map[string]string{
		"/srv/runs.db":                "/srv/runs.db",
		"/srv//a b?.db":               "/srv/a b?.db",
		"file:/srv/runs.db":           "/srv/runs.db",
		"file:///srv/runs.db?mode=ro": "/srv/runs.db",
		"sqlite:////srv/runs.db":      "/srv/runs.db",
	} {
		a, err := parseFile(text)
		if err != nil || a.database != want || a.engine != engineSQLite {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
	for text, want := range map[string]string{
		"runs.db":               "absolute path",
		"":                      "absolute path",
		"file:runs.db":          "file:/absolute/path",
		"file://other/runs.db":  "file:/absolute/path",
		"postgresql://h/d":      "kind database",
		"file:/x?immutable=1":   "unseen",
		"file:/x?vfs=unix-none": "none of mode",
	} {
		if a, err := parseFile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
}

func TestAddress_is_the_same_connection_however_it_is_written(t *testing.T) {
	same := []string{
		"postgresql://lab:s%65cret@DB:5432/runs?sslmode=require&connect_timeout=5",
		"postgres://lab:secret@db/runs?connect_timeout=5&sslmode=REQUIRE",
		"postgresql+psycopg2://lab:secret@db/runs?connect_timeout=5&ssl=true",
	}
	first := must(parseURL(same[0]))
	for _, text := range same[1:] {
		if !first.same(must(parseURL(text))) {
			t.Errorf("%s is taken for another connection than %s", text, same[0])
		}
	}
	for _, text := range []string{
		"postgresql://lab:other@db/runs?sslmode=require&connect_timeout=5",
		"postgresql://eve:secret@db/runs?sslmode=require&connect_timeout=5",
		"postgresql://lab:secret@db/runs", "postgresql://lab:secret@db:5433/runs?sslmode=require&connect_timeout=5",
	} {
		if first.same(must(parseURL(text))) {
			t.Errorf("%s is taken for the same connection as %s", text, same[0])
		}
	}
}

func must(a address, err error) address {
	if err != nil {
		panic(err)
	}
	return a
}

func TestAddress_is_printed_without_its_password(t *testing.T) {
	a := must(parseURL("postgresql+psycopg2://lab:Sesame%2F99@db:5433/runs?sslmode=require&host="))
	const want = "postgresql://lab:***@db:5433/runs?sslmode=require"
	asJSON, err := json.Marshal(map[string]address{"url": a})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		a.String(), fmt.Sprint(a), fmt.Sprintf("%v", a), fmt.Sprintf("%+v", a), fmt.Sprintf("%#v", a),
		fmt.Sprintf("%q", a), fmt.Sprintf("%d", a), fmt.Sprintf("%s", &a), fmt.Sprintf("%v", []any{a}), string(asJSON),
	} {
		if !strings.Contains(shown, want) || strings.Contains(shown, "esame") {
			t.Errorf("shown as %s", shown)
		}
	}
	inside := struct {
		a address
		r redactor
	}{a, newRedactor(a)}
	for _, shown := range []string{fmt.Sprint(inside), fmt.Sprintf("%+v", inside), fmt.Sprintf("%#v", &inside)} {
		if strings.Contains(shown, "esame") {
			t.Errorf("inside of something else it is shown as %s", shown)
		}
	}
	for text, want := range map[string]string{
		"mysql+pymysql://l%3Ab:p@/runs?unix_socket=/run/x.sock": "mysql://l%3Ab:***@/runs?unix_socket=%2Frun%2Fx.sock",
		"postgresql://[::1]/a%2Fb":                              "postgresql://[::1]/a%2Fb",
		"sqlite:////srv/a%20b.db":                               "sqlite:////srv/a%20b.db",
	} {
		if got := must(parseURL(text)).String(); got != want {
			t.Errorf("%s is shown as %s, not %s", text, got, want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, text := range []string{
		"postgresql+psycopg2://lab:secret@db:5433/runs?sslmode=require", "mysql://u:p@[::1]:3306/d?unix_socket=/x", "sqlite:////srv/x.db",
		"sqlserver://u:p@h/i?database=d", "postgresql://u:%zz@h", "postgres://u:a/b@c?d@e#f", "mssql:///?odbc_connect=x", "://", "file:", "mysql://?&=&%",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseURL(text)
		if err != nil {
			return
		}
		shown := a.String()
		b, err := parseURL(shown)
		if err != nil {
			t.Fatalf("%q is shown as %q, which can't be read: %v", text, shown, err)
		}
		if a.password.reveal() != "" && b.password.reveal() != "***" {
			t.Fatalf("%q is shown as %q", text, shown)
		}
		other := a
		other.password, other.written = hide("another"), hide("another")
		if a.password.reveal() != "" && other.String() != shown {
			t.Fatalf("how %q is shown depends on its password", text)
		}
		if b.password = a.password; !a.same(b) {
			t.Fatalf("%q is shown as %q, which is another place", text, shown)
		}
	})
}

func FuzzParseURL_errors_do_not_show_a_password(f *testing.F) {
	for _, word := range []string{"Sesame99", "a/b#c?d@e:f%", "p%41ss word", "πασσ", "[::1]", "?host=x&sslmode"} {
		f.Add("postgresql://lab:", word, "@db:5432/runs?sslmode=require")
		f.Add("mysql+pymysql://", word, "@/runs")
		f.Add("mssql://u:", word, "")
	}
	f.Fuzz(func(t *testing.T, before, password, after string) {
		const mark = "QZXJ" // a password of four letters that stand in no message of ours
		for _, written := range []string{mark + password, password + mark, mark + url.QueryEscape(password), mark} {
			if _, err := parseURL(before + written + after); err != nil && strings.Contains(err.Error(), mark) {
				t.Fatalf("%q with the password %q: %v", before+written+after, written, err)
			}
		}
	})
}
