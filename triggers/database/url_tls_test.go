package database

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// certified is a TLS server for 127.0.0.1 and example.com, and the file of its authority.
func certified(t *testing.T) (address, authority string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s.Listener.Addr().String(), authority
}

func TestTLS_trusts_whom_the_mode_says(t *testing.T) {
	address, authority := certified(t)
	for _, c := range []struct {
		query, host string
		want        string // of the error; empty: it is trusted
		plain       bool   // no TLS at all
	}{
		{"ssl_mode=disabled", "127.0.0.1", "", true},
		{"ssl_mode=required", "127.0.0.1", "", false},
		{"", "127.0.0.1", "", false},
		{"ssl_ca=" + authority, "other.example", "", false},
		{"ssl_mode=verify_ca", "127.0.0.1", "unknown authority", false},
		{"ssl_mode=verify_identity&ssl_ca=" + authority, "127.0.0.1", "", false},
		{"ssl_mode=verify_identity&ssl_ca=" + authority, "other.example", "other.example", false},
		{"ssl_mode=verify_identity", "127.0.0.1", "unknown authority", false},
	} {
		config, err := mysqlConfig(must(parseURL("mysql://lab:x@" + c.host + "/runs?" + c.query)))
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
			continue
		}
		if config.TLS == nil || c.plain {
			if c.plain != (config.TLS == nil) {
				t.Errorf("%s: TLS is %v", c.query, config.TLS)
			}
			continue
		}
		conn, err := tls.Dial("tcp", address, config.TLS)
		switch {
		case err == nil && c.want != "":
			t.Errorf("%s: trusted for %s", c.query, c.host)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: for %s: %v", c.query, c.host, err)
		case err != nil && (mysqlDialect{}).judge(err) != troubleOther:
			t.Errorf("%s: judged %v, as if waiting would help", c.query, mysqlDialect{}.judge(err))
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

func TestTLS_says_what_is_wrong_with_the_files(t *testing.T) {
	_, authority := certified(t)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"ssl_ca=/no/such/file":                        "no such file",
		"ssl_ca=" + empty:                             "holds no certificate",
		"ssl_cert=" + authority:                       "given together",
		"ssl_cert=" + authority + "&ssl_key=" + empty: "key",
		"connect_timeout=soon":                        "no number of seconds",
	} {
		if _, err := mysqlConfig(must(parseURL("mysql://lab:x@db/runs?" + query))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
	for query, want := range map[string]string{
		"sslmode=verify-full&sslrootcert=/no/such/file": "the options of the URL: unable to read CA file: open /no/such/file: no such file or directory",
		"connect_timeout=soon":                          "the options of the URL: ",
		"channel_binding=maybe":                         "the options of the URL: ",
	} {
		a := address{engine: enginePostgres, user: "lab", host: "db", database: "runs", password: hide(dbtest.Password), options: map[string]string{}}
		if err := a.takeOptions(query); err != nil {
			t.Fatal(err)
		}
		_, err := postgresConfig(a)
		if err == nil || !strings.Contains(err.Error(), want) || (postgresDialect{}).judge(err) != troubleOther {
			t.Errorf("PostgreSQL: %s: %v", query, err)
		}
		for part := range strings.FieldsSeq(dbtest.Password) {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: a part of the password is left in %v", query, err)
			}
		}
	}
}

func TestOpen_takes_a_Unix_socket(t *testing.T) {
	pg, my := dbtest.SharedPostgres(t), dbtest.SharedMariaDB(t)
	inPG, _ := pg.Database(t)
	inMy, _ := my.Database(t)
	user := strings.TrimPrefix(pg.URLAt("", dbtest.User, dbtest.Password, ""), "postgresql://")
	user = strings.TrimSuffix(user, "/")
	for url, d := range map[string]dialect{
		"postgresql://" + user + "/" + inPG + "?host=" + pg.Folder + "&port=" + portOf(t, pg): postgresDialect{},
		"mysql://" + user + "/" + inMy + "?unix_socket=" + my.Folder + "/s.sock":              mysqlDialect{},
	} {
		if got := rowsOf(t, connectTo(t, d, url), "SELECT 1"); len(got) != 1 {
			t.Errorf("%v gives %v", must(parseURL(url)), got)
		}
	}
}

func portOf(t *testing.T, s *dbtest.Server) string {
	t.Helper()
	_, port, ok := strings.Cut(strings.TrimSuffix(strings.SplitN(s.URLFor("u", "p", ""), "@", 2)[1], "/"), ":")
	if !ok {
		t.Fatal("the URL has no port")
	}
	return port
}
