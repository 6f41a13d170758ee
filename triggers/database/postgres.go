package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// postgresDialect speaks to PostgreSQL and to what speaks its protocol. Values travel as
// text, statements without a name: so a table may change between two polls, and a pooler
// may stand between.
type postgresDialect struct{}

func (postgresDialect) quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// parameter has no cast: the server gives it the type of what it is compared with.
func (postgresDialect) parameter(n int, _ column) string { return "$" + strconv.Itoa(n) }

func (postgresDialect) tuples() bool { return true }

func (postgresDialect) page(query string, n int) string { return query + " LIMIT " + strconv.Itoa(n) }

func (postgresDialect) open(ctx context.Context, a address) (conn, error) {
	config, err := postgresConfig(a)
	if err != nil {
		return nil, err
	}
	c, err := connectPostgres(ctx, a, config)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func connectPostgres(ctx context.Context, a address, config *pgconn.Config) (*postgresConn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, config.ConnectTimeout, errSilent)
	defer cancel()
	d := &dialer{}
	config.DialFunc = d.dial
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, errors.Join(&connectError{a, briefPostgres(a, err), err}, d.close())
	}
	return &postgresConn{pg: pg, dialer: d, user: config.User, arrays: map[int64]int64{}}, nil
}

// postgresConfig is what the URL says. What it leaves open is as psql has it, the
// variables PG… of the daemon and ~/.pgpass included.
func postgresConfig(a address) (*pgconn.Config, error) {
	set := map[string]string{}
	for name, value := range a.options {
		set[name] = value
	}
	for name, value := range map[string]string{"user": a.user, "password": a.password.reveal(), "host": a.host + a.socket, "dbname": a.database} {
		if value != "" {
			set[name] = value
		}
	}
	if a.port != 0 {
		set["port"] = strconv.Itoa(a.port)
	}
	var text strings.Builder
	for name, value := range set {
		fmt.Fprintf(&text, "%s='%s' ", name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
	}
	config, err := pgconn.ParseConfig(text.String())
	if err != nil {
		return nil, &addressError{fmt.Errorf("the options of the URL: %s", aboutOptions(err))}
	}
	if config.ConnectTimeout <= 0 {
		config.ConnectTimeout = connecting
	}
	// A pooler takes these two and may refuse all others, which each transaction sets.
	for name, value := range map[string]string{"application_name": "latticed", "client_encoding": "UTF8"} {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = value
		}
	}
	config.BuildContextWatcherHandler = func(pg *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: pg, DeadlineDelay: farewell}
	}
	return config, nil
}

// aboutOptions is what the driver has against options, without the text that it has read:
// it leaves parts of a password there.
func aboutOptions(err error) string {
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return "they can't be read"
	}
	if inner := parse.Unwrap(); inner != nil {
		return oneLine(inner.Error())
	}
	text := err.Error()
	return oneLine(text[strings.LastIndex(text, "`: ")+len("`: "):])
}

// connectError says where a connection could not be made, in one line.
type connectError struct {
	to   address
	text string
	err  error
}

func (e *connectError) Error() string { return fmt.Sprintf("connect to %s: %s", e.to, e.text) }
func (e *connectError) Unwrap() error { return e.err }

// briefPostgres is what the server says, or else what the driver does.
func briefPostgres(a address, err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Message
	}
	return briefly(a, err)
}

// classes of SQLSTATE, and whole ones, by what they mean for us.
var postgresTroubles = map[string]trouble{
	"08": troubleLost, "57P01": troubleLost, "57P02": troubleLost, "57P03": troubleLost, "57P05": troubleLost, "53300": troubleLost,
	"57014": troubleBusy, "55P03": troubleBusy, "40": troubleBusy, "53": troubleBusy, "25P04": troubleLost, "25P03": troubleLost,
	"42P01": troubleMissing, "42703": troubleMissing, "3F000": troubleMissing, "3D000": troubleMissing, "57P04": troubleMissing,
	"42501": troubleDenied, "28": troubleDenied,
}

// poolerTroubles are words of PgBouncer, which has one code for all that it says itself.
var poolerTroubles = map[string]trouble{
	"authentication failed": troubleDenied, "no such user": troubleDenied, "does not exist": troubleMissing, "no such database": troubleMissing,
	"unsupported startup parameter": troubleOther, "not allowed in statement pooling mode": troubleOther,
}

func (postgresDialect) judge(err error) trouble {
	var pg *pgconn.PgError
	var lost *lostError
	if errors.As(err, &pg) && pg.Code == "08P01" {
		for words, t := range poolerTroubles {
			if strings.Contains(pg.Message, words) {
				return t
			}
		}
	}
	if errors.As(err, &pg) && !errors.As(err, &lost) && len(pg.Code) >= 2 {
		if t, ok := postgresTroubles[pg.Code]; ok {
			return t
		}
		return postgresTroubles[pg.Code[:2]]
	}
	return judgeTransport(err)
}

// alive is how soon a connection on which nothing is said ends when the other machine has
// vanished: after 5 s it is asked each 2 s, and has to answer one of three.
var alive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}

// dialer makes the connections of one conn: its own, and those that ask the server to
// end a statement. After close there is none.
type dialer struct {
	mu      sync.Mutex
	closed  bool
	conns   []net.Conn
	dialing map[*context.CancelFunc]bool
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !d.begin(&cancel) {
		return nil, net.ErrClosed
	}
	c, err := (&net.Dialer{Timeout: connecting, KeepAliveConfig: alive}).DialContext(ctx, network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.dialing, &cancel)
	switch {
	case err != nil:
		return nil, err
	case d.closed:
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	d.conns = append(d.conns, c)
	return c, nil
}

// begin notes how a dial is ended; false: there is to be none any more.
func (d *dialer) begin(cancel *context.CancelFunc) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	if d.dialing == nil {
		d.dialing = map[*context.CancelFunc]bool{}
	}
	d.dialing[cancel] = true
	return true
}

// close closes what is open, and ends what is about to be. That it was closed before is
// fine.
func (d *dialer) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for cancel := range d.dialing {
		(*cancel)()
	}
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.conns = nil
	return nil
}
