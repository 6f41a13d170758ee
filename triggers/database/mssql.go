package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
)

// mssqlDialect speaks to SQL Server.
type mssqlDialect struct{}

func (mssqlDialect) quote(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" }

// parameter has the type of the column: compared with another one, the column would be
// converted, row by row.
func (mssqlDialect) parameter(n int, c column) string {
	p := "@p" + strconv.Itoa(n)
	switch c.class {
	case classInteger, classFloat, classBool, classBytes:
		return p
	}
	return "CAST(" + p + " AS " + c.typ + ")"
}

// tuples is false: there is no order of tuples.
func (mssqlDialect) tuples() bool { return false }

func (mssqlDialect) page(query string, n int) string {
	return query + " OFFSET 0 ROWS FETCH NEXT " + strconv.Itoa(n) + " ROWS ONLY"
}

func (mssqlDialect) open(ctx context.Context, a address) (conn, error) {
	source, patience, err := mssqlSource(a)
	if err != nil {
		return nil, &addressError{err}
	}
	connector, err := mssql.NewConnector(source)
	if err != nil {
		return nil, &addressError{fmt.Errorf("the options of the URL: %w", err)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	c := &mssqlConn{sqlConn: sqlConn{dialer: &dialer{}}, user: a.user}
	connector.Dialer = c.dialer
	defer c.fence(ctx, 0)()
	if err := c.use(ctx, sql.OpenDB(connector)); err != nil {
		return nil, errors.Join(&connectError{a, briefMSSQL(a, err), err}, c.close())
	}
	return c, nil
}

// DialContext is what this driver calls dial.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.dial(ctx, network, addr)
}

// encrypting are the ODBC drivers that encrypt by default.
var encrypting = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^\{?ODBC Driver (1[89]|[2-9][0-9]) `) })

// mssqlSource is the URL that the driver wants, and how long it may take to connect.
func mssqlSource(a address) (string, time.Duration, error) {
	u := url.URL{Scheme: "sqlserver", Host: a.host}
	if strings.Contains(a.host, ":") {
		u.Host = "[" + a.host + "]"
	}
	if a.port != 0 {
		u.Host += ":" + strconv.Itoa(a.port)
	}
	if a.user == "" {
		return "", 0, errors.New("the URL names no user; a login of SQL Server is needed, Windows' own is not supported")
	}
	u.User = url.UserPassword(a.user, a.password.reveal())
	patience := connecting
	options := url.Values{"database": {a.database}, "app name": {"latticed"}}
	for name, value := range a.options {
		switch name {
		case "driver": // of ODBC: we have one; from version 18 on, those encrypt unless told otherwise
			if _, given := a.options["encrypt"]; !given && encrypting().MatchString(value) {
				options.Set("encrypt", "true")
			}
		case "instance":
			u.Path = "/" + value
		case "connect_timeout":
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || n == 0 {
				return "", 0, errors.New("the option connect_timeout of the URL is no number of seconds")
			}
			patience = time.Duration(n) * time.Second //nolint:gosec // 16 bits
		default:
			options.Set(name, value)
		}
	}
	// As with ODBC: who asks for no encryption has no certificate checked with which the login
	// is encrypted all the same. This driver would check it.
	if options.Get("encrypt") == "false" && !options.Has("trustservercertificate") && !options.Has("certificate") {
		options.Set("trustservercertificate", "true")
	}
	u.RawQuery = options.Encode()
	return u.String(), patience, nil
}

// briefMSSQL is what the server says, or else what the network does.
func briefMSSQL(a address, err error) string {
	var said mssql.Error
	if errors.As(err, &said) {
		return oneLine(said.Message)
	}
	return briefly(a, err)
}

// mssqlTroubles are error numbers by what they mean for us.
var mssqlTroubles = map[int32]trouble{
	233: troubleLost, 6005: troubleLost, 10053: troubleLost, 10054: troubleLost, 10060: troubleLost, 10928: troubleLost, 10929: troubleLost,
	17142: troubleLost, 17809: troubleLost, 40143: troubleLost, 40197: troubleLost, 40501: troubleLost, 40613: troubleLost, 49918: troubleLost,
	1204: troubleBusy, 1205: troubleBusy, 1222: troubleBusy, 3960: troubleBusy,
	207: troubleMissing, 208: troubleMissing, 911: troubleMissing,
	229: troubleDenied, 230: troubleDenied, 262: troubleDenied, 300: troubleDenied, 916: troubleDenied, 4060: troubleDenied,
	18452: troubleDenied, 18456: troubleDenied, 18470: troubleDenied, 18486: troubleDenied, 18487: troubleDenied, 18488: troubleDenied,
}

func (mssqlDialect) judge(err error) trouble {
	var said mssql.Error
	var lost *lostError
	var slow *slowError
	var stream mssql.StreamError
	var server mssql.ServerError
	switch {
	case errors.As(err, &lost):
		return troubleLost
	case errors.As(err, &slow):
		return troubleBusy
	case errors.As(err, &said):
		return mssqlTroubles[said.Number]
	case errors.As(err, &stream), errors.As(err, &server):
		return troubleLost
	}
	return judgeTransport(err)
}

// slowError is of a statement that was ended at its limit by us.
type slowError struct{ limit time.Duration }

func (e *slowError) Error() string { return fmt.Sprintf("the statement took longer than %s", e.limit) }
