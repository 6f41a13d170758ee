package database

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlDialect speaks to MySQL and MariaDB.
type mysqlDialect struct{}

func (mysqlDialect) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// parameter keeps exact numbers exact: compared with a text they would become floats,
// and no index would be used.
func (mysqlDialect) parameter(_ int, c column) string {
	switch {
	case c.class == classDecimal: // "decimal(10,3) unsigned"
		typ, _, _ := strings.Cut(c.typ, ")")
		return "CAST(? AS " + typ + "))"
	case strings.HasPrefix(c.typ, "float"): // which has fewer digits than what it is compared as
		return "CAST(? AS FLOAT)"
	case c.class == classInteger && strings.Contains(c.typ, "unsigned"):
		return "CAST(? AS UNSIGNED)"
	}
	return "?"
}

// tuples is false: an order of tuples is understood, but no index is used for it.
func (mysqlDialect) tuples() bool { return false }

func (mysqlDialect) page(query string, n int) string { return query + " LIMIT " + strconv.Itoa(n) }

func (mysqlDialect) open(ctx context.Context, a address) (conn, error) {
	config, err := mysqlConfig(a)
	if err != nil {
		return nil, &addressError{err}
	}
	d := &dialer{}
	config.DialFunc = d.dial
	ctx, cancel := context.WithTimeoutCause(ctx, config.Timeout, errSilent)
	defer cancel()
	c := &mysqlConn{sqlConn: sqlConn{dialer: d}, config: config, mark: "latticed " + rand.Text()}
	if err := c.connect(ctx); err != nil {
		return nil, errors.Join(&connectError{a, briefMySQL(a, err), err}, c.close())
	}
	return c, nil
}

func mysqlConfig(a address) (*mysql.Config, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Timeout, c.Logger = a.user, a.password.reveal(), a.database, "tcp", connecting, mute{}
	port, host := a.port, a.host
	if port == 0 {
		port = usualPort[engineMySQL]
	}
	if host == "" {
		host = "localhost"
	}
	if c.Addr = net.JoinHostPort(host, strconv.Itoa(port)); a.socket != "" {
		c.Net, c.Addr = "unix", a.socket
	}
	// What TIMESTAMP means is UTC; what a DATETIME does, nobody knows.
	c.Params = map[string]string{"time_zone": "'+00:00'"}
	c.ConnectionAttributes = "program_name:latticed"
	if text := a.options["connect_timeout"]; text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return nil, errors.New("the option connect_timeout of the URL is no number of seconds")
		}
		c.Timeout = time.Duration(n) * time.Second //nolint:gosec // 16 bits
	}
	if charset := a.options["charset"]; charset != "" {
		if err := c.Apply(mysql.Charset(charset, "")); err != nil {
			return nil, fmt.Errorf("the option charset of the URL: %w", err)
		}
	}
	return c, mysqlTLS(c, a)
}

// mysqlTLS does what ssl_mode says. A Unix socket needs no encryption.
func mysqlTLS(c *mysql.Config, a address) error {
	files, err := tlsFiles(a.options["ssl_ca"], a.options["ssl_cert"], a.options["ssl_key"])
	if err != nil {
		return fmt.Errorf("the TLS options of the URL: %w", err)
	}
	mode := a.options["ssl_mode"]
	if mode == "" && a.options["ssl_ca"] != "" {
		mode = "verify_ca"
	}
	switch mode {
	case "disabled":
	case "", "preferred":
		if a.socket == "" {
			files.InsecureSkipVerify = true //nolint:gosec // as asked: encrypted if that is to be had
			c.TLS, c.AllowFallbackToPlaintext = files, true
		}
	case "required":
		files.InsecureSkipVerify = true //nolint:gosec // as asked: encrypted, whoever it is
		c.TLS = files
	case "verify_ca":
		c.TLS = anyName(files)
	case "verify_identity":
		files.ServerName = a.host
		c.TLS = files
	}
	return nil
}

// mute is the driver's logger: what goes wrong is in the errors.
type mute struct{}

func (mute) Print(...any) {}

// mysqlTroubles are error numbers by what they mean for us.
var mysqlTroubles = map[uint16]trouble{
	1040: troubleLost, 1053: troubleLost, 1129: troubleLost, 1152: troubleLost, 1203: troubleLost, 1226: troubleLost, 1927: troubleLost, 4031: troubleLost,
	1205: troubleBusy, 1213: troubleBusy, 1317: troubleBusy, 1969: troubleBusy, 3024: troubleBusy, 1028: troubleBusy, 1412: troubleBusy,
	1049: troubleMissing, 1054: troubleMissing, 1146: troubleMissing, 1932: troubleMissing,
	1044: troubleDenied, 1045: troubleDenied, 1130: troubleDenied, 1142: troubleDenied, 1143: troubleDenied, 1227: troubleDenied, 1251: troubleDenied,
	1370: troubleDenied, 1698: troubleDenied, 1820: troubleDenied, 1862: troubleDenied, 3118: troubleDenied, 4151: troubleDenied,
}

func (mysqlDialect) judge(err error) trouble {
	var said *mysql.MySQLError
	var lost *lostError
	if errors.As(err, &said) && !errors.As(err, &lost) {
		return mysqlTroubles[said.Number]
	}
	if errors.Is(err, mysql.ErrInvalidConn) {
		return troubleLost
	}
	return judgeTransport(err)
}

// briefMySQL is what the server says, or else what the network does.
func briefMySQL(a address, err error) string {
	var said *mysql.MySQLError
	if errors.As(err, &said) {
		return oneLine(said.Message)
	}
	return briefly(a, err)
}

// mysqlConn is one connection.
type mysqlConn struct {
	sqlConn
	config *mysql.Config
	mark   string // stands in every statement, so that no other is ended instead of it
	id     int64  // of the connection, on the server
	maria  bool
	user   string
	limit  time.Duration // that the server has been told
}

func (c *mysqlConn) connect(ctx context.Context) error {
	connector, err := mysql.NewConnector(c.config)
	if err != nil {
		return err
	}
	if err := c.use(ctx, sql.OpenDB(connector)); err != nil {
		return err
	}
	var version string
	if err := c.one.QueryRowContext(ctx, "SELECT CONNECTION_ID(), VERSION(), CURRENT_USER()").Scan(&c.id, &version, &c.user); err != nil {
		return err
	}
	c.maria = strings.Contains(version, "MariaDB")
	return nil
}

// read runs a query in a transaction of its own. The server enforces the limit. When the
// context ends before that, the driver hangs up, which a server does not notice while it
// works: it is told over another connection.
func (c *mysqlConn) read(ctx context.Context, query string, args []any, limit time.Duration, f func([]any) error) error {
	inner, cancel := within(ctx, limit)
	defer cancel()
	err := c.begin(inner, limit)
	if err == nil {
		err = c.rows(inner, "/* "+c.mark+" */ "+query, mysqlArgs(args), mysqlValue, f)
	}
	if inner.Err() == nil {
		return c.rolledBack(ctx, err)
	}
	// Whether that worked changes nothing for us.
	_ = c.interrupt(ctx)
	return &lostError{context.Cause(inner)}
}

// begin tells the server the limit, unless it knows, and begins the transaction. Waiting
// for a lock on the table counts, too, in whole seconds.
func (c *mysqlConn) begin(ctx context.Context, limit time.Duration) error {
	if c.limit != limit {
		wait := max(1, int64((limit+time.Second-1)/time.Second))
		set := fmt.Sprintf("SET SESSION max_execution_time = %d, lock_wait_timeout = %d", max(1, limit.Milliseconds()), wait)
		if c.maria {
			set = fmt.Sprintf("SET SESSION max_statement_time = %f, lock_wait_timeout = %d", max(limit, time.Millisecond).Seconds(), wait)
		}
		if _, err := c.one.ExecContext(ctx, set); err != nil {
			return err
		}
		c.limit = limit
	}
	_, err := c.one.ExecContext(ctx, "START TRANSACTION READ ONLY")
	return err
}

// interrupt ends this connection on the server if it still runs a statement of ours.
// Behind a balancer the other connection may reach another server, where the same number
// is somebody else's: so the mark is looked for first.
func (c *mysqlConn) interrupt(ctx context.Context) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	d := &dialer{}
	defer func() { _ = d.close() }()
	config := c.config.Clone()
	config.DialFunc = d.dial
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	var id int64
	const running = "SELECT ID FROM information_schema.PROCESSLIST WHERE ID = ? AND INFO LIKE CONCAT('%', ?, '%')"
	if err := db.QueryRowContext(ctx, running, c.id, c.mark).Scan(&id); err != nil {
		return err // it has ended
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("KILL %d", id))
	return err
}
