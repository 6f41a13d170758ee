package dbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Bouncer starts a PgBouncer in front of a PostgreSQL server, for this test alone. The
// mode says for how long a client has a connection of the server's: "session",
// "transaction" or "statement".
func Bouncer(t testing.TB, of *Server, mode string) *Server {
	t.Helper()
	e := postgres()
	e.name, e.pack, e.tools, e.gentle = "pgbouncer", "pgbouncer", []string{"/usr/sbin/pgbouncer"}, syscall.SIGTERM
	e.command = func(s *Server) (string, []string) {
		return "/usr/sbin/pgbouncer", []string{filepath.Join(s.Folder, "pgbouncer.ini")}
	}
	e.need(t)
	s, err := bouncer(e, of, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func bouncer(e engine, of *Server, mode string) (*Server, error) {
	folder, err := e.folder()
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", Folder: folder, engine: e}
	if s.Port, err = FreePort(); err != nil {
		return nil, err
	}
	users := fmt.Sprintf("\"%s\" \"%s\"\n", User, strings.ReplaceAll(Password, `"`, `""`))
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = %s
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = %s
server_login_retry = 1
`, of.Host, of.Port, s.Host, s.Port, filepath.Join(folder, "users.txt"), mode)
	for name, text := range map[string]string{"users.txt": users, "pgbouncer.ini": settings} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil { //nolint:gosec // no secret, and read by another user
			return nil, err
		}
	}
	return s, s.start()
}
