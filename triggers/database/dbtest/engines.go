package dbtest

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// postgresBin is where Debian puts the programs of the server.
const postgresBin = "/usr/lib/postgresql/15/bin/"

func postgres() engine {
	return engine{
		name: "postgres", pack: "postgresql-15", account: "postgres", scheme: "postgresql", driver: "pgx", root: "postgres",
		tools:   []string{postgresBin + "initdb", postgresBin + "postgres"},
		prepare: preparePostgres,
		// What was committed survives the end of the process without fsync, too.
		command: func(s *Server) (string, []string) {
			return postgresBin + "postgres", []string{
				"-D", filepath.Join(s.Folder, "data"), "-p", strconv.Itoa(s.Port), "-k", s.Folder, "-h", s.Host, "-F",
				"-c", "max_connections=60", "-c", "shared_buffers=32MB", "-c", "timezone=America/Caracas", "-c", "log_statement=none",
			}
		},
		gentle: syscall.SIGINT,
		tls: func(authority, certificate, key string) []string {
			return []string{"-c", "ssl=on", "-c", "ssl_ca_file=" + authority, "-c", "ssl_cert_file=" + certificate, "-c", "ssl_key_file=" + key}
		},
		source: func(s *Server, user, password, database string) string {
			u := url.URL{
				Scheme: "postgres", User: url.UserPassword(user, password), Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
				Path: "/" + database, RawQuery: "sslmode=disable&connect_timeout=5",
			}
			return u.String()
		},
	}
}

func preparePostgres(folder string, run func(program string, args ...string) error) error {
	secret := filepath.Join(folder, "password")
	if err := os.WriteFile(secret, []byte(Password+"\n"), 0o644); err != nil { //nolint:gosec // it is no secret, and read by another user
		return err
	}
	return run(postgresBin+"initdb", "-D", filepath.Join(folder, "data"), "-U", User, "--pwfile="+secret,
		"-A", "scram-sha-256", "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C.UTF-8")
}

func mariadb() engine {
	return engine{
		name: "mariadb", pack: "mariadb-server", account: "mysql", scheme: "mysql", driver: "mysql", root: "mysql",
		tools:   []string{"mariadb-install-db", "/usr/sbin/mariadbd"},
		prepare: prepareMariaDB,
		// A commit reaches the kernel, so that it survives the end of the process.
		command: func(s *Server) (string, []string) {
			return "/usr/sbin/mariadbd", []string{
				"--no-defaults", "--datadir=" + filepath.Join(s.Folder, "data"), "--tmpdir=" + s.Folder, "--socket=" + filepath.Join(s.Folder, "s.sock"),
				"--pid-file=" + filepath.Join(s.Folder, "pid"), "--port=" + strconv.Itoa(s.Port), "--bind-address=" + s.Host,
				"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M", "--skip-name-resolve", "--default-time-zone=-04:00",
				"--character-set-server=utf8mb4", "--init-file=" + filepath.Join(s.Folder, "data", "users.sql"),
			}
		},
		gentle: syscall.SIGTERM,
		tls: func(authority, certificate, key string) []string {
			return []string{"--ssl-ca=" + authority, "--ssl-cert=" + certificate, "--ssl-key=" + key}
		},
		source: func(s *Server, user, password, database string) string {
			c := mysql.NewConfig()
			c.User, c.Passwd, c.DBName, c.Net = user, password, database, "tcp"
			c.Addr = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
			c.Timeout, c.ParseTime = 5*time.Second, true
			return c.FormatDSN()
		},
	}
}

// prepareMariaDB makes the system tables. Each server has a place of its own for temporary
// tables: one that starts removes those of all others there.
func prepareMariaDB(folder string, run func(program string, args ...string) error) error {
	data := filepath.Join(folder, "data")
	if err := run("mariadb-install-db", "--no-defaults", "--datadir="+data, "--tmpdir="+folder, "--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return err
	}
	var users strings.Builder
	quoted := "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(Password) + "'"
	for _, host := range []string{"'127.0.0.1'", "'localhost'"} {
		who := User + "@" + host
		users.WriteString("CREATE USER IF NOT EXISTS " + who + " IDENTIFIED BY " + quoted + ";\nGRANT ALL ON *.* TO " + who + " WITH GRANT OPTION;\n")
	}
	return os.WriteFile(filepath.Join(data, "users.sql"), []byte(users.String()), 0o644) //nolint:gosec // no secret
}

// silent is the logger of test handles, which are made of a text and so know only that
// of all: that a killed server is gone is no news.
type silent struct{}

func (silent) Print(...any) {}
