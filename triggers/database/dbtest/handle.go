package dbtest

import (
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"testing"
)

// URL is that of a database for the user that may do everything.
func (s *Server) URL(database string) string { return s.URLFor(User, Password, database) }

// URLFor is that of a database for another user.
func (s *Server) URLFor(user, password, database string) string {
	return s.URLAt(net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), user, password, database)
}

// URLAt is that of a database through another address, as that of a Proxy.
func (s *Server) URLAt(address, user, password, database string) string {
	u := url.URL{Scheme: s.engine.scheme, User: url.UserPassword(user, password), Host: address, Path: "/" + database}
	return u.String()
}

// Database makes a new database, which goes when the test ends, and a handle for the
// test's own statements.
func (s *Server) Database(t testing.TB) (name string, db *sql.DB) {
	t.Helper()
	name = fmt.Sprintf("t%d_%d", os.Getpid(), s.names.Add(1))
	root := s.Open(t, s.engine.root)
	Exec(t, root, "CREATE DATABASE "+name)
	return name, s.Open(t, name)
}

// Open is a handle for the test's own statements, which is closed when the test ends.
func (s *Server) Open(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open(s.engine.driver, s.engine.source(s, User, Password, database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Exec runs statements one by one.
func Exec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}
