package database

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/latticed/latticed/graph"
)

// The databases we speak to, by the name that stands in shown addresses.
const (
	engineSQLite   = "sqlite"
	enginePostgres = "postgresql"
	engineMySQL    = "mysql"
	engineMSSQL    = "mssql"
)

// schemes are the names that URLs begin with. What follows a + in one (the driver of
// SQLAlchemy, as in postgresql+psycopg2) says nothing to us.
var schemes = map[string]string{
	"sqlite":     engineSQLite,
	"postgresql": enginePostgres,
	"postgres":   enginePostgres,
	"mysql":      engineMySQL,
	"mariadb":    engineMySQL,
	"mssql":      engineMSSQL,
	"sqlserver":  engineMSSQL,
}

// address is where a database is. It comes from parseURL and is not changed. Every
// way to print one, or what has one in it, leaves the password out.
type address struct {
	engine   string
	user     string
	password hidden
	host     string // a name or an IP without brackets; empty: this machine's usual place
	port     int    // 0: the usual one
	socket   string // the path of a Unix socket (of its folder for PostgreSQL), or empty
	database string // its name; for SQLite the absolute path of the file
	options  map[string]string
	written  hidden // the password as it stood in the URL, percent signs and all
}

// parseURL reads the URL of a database as SQLAlchemy, libpq and Go's drivers write it.
// Its errors repeat nothing that could be a password, however the URL is broken.
func parseURL(text string) (address, error) {
	text = strings.TrimSpace(text)
	scheme, rest, ok := strings.Cut(text, ":")
	rest, slashes := strings.CutPrefix(rest, "//")
	dialect, _, _ := strings.Cut(scheme, "+")
	engine, known := schemes[strings.ToLower(dialect)]
	switch {
	case !ok || !slashes:
		return address{}, errors.New("is not a URL: it has to begin like postgresql:// or mysql://")
	case !known:
		return address{}, fmt.Errorf("begins with a name that is none of postgresql://, mysql://, mariadb://, mssql:// and sqlite://%s", nearScheme(dialect))
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return address{}, errors.New("has a line break or another control character in it")
	case strings.Contains(rest, "#"):
		return address{}, errors.New("has a # in it; inside of a password or a name it is written %23")
	}
	a := address{engine: engine, options: map[string]string{}}
	where, query, _ := strings.Cut(rest, "?")
	door, name, _ := strings.Cut(where, "/")
	at := strings.LastIndexByte(door, '@')
	if strings.Contains(rest[len(door):], "@") {
		return address{}, errors.New("has a / or a ? before an @; inside of a password they are written %2F and %3F, and after the host an @ is written %40")
	}
	var err error
	if at >= 0 {
		if err := a.credentials(door[:at]); err != nil {
			return address{}, err
		}
	}
	if err := a.place(door[at+1:]); err != nil {
		return address{}, err
	}
	if a.database, err = url.PathUnescape(name); err != nil {
		return address{}, errEscape("the name of the database")
	}
	if err := a.takeOptions(query); err != nil {
		return address{}, err
	}
	return a.settle(strings.EqualFold(dialect, "sqlserver"))
}

// nearScheme names the scheme that somebody may have meant.
func nearScheme(word string) string {
	if near := graph.Suggest(strings.ToLower(word), slices.Sorted(maps.Keys(schemes))); near != "" {
		return "; did you mean " + near + "://?"
	}
	return ""
}

// errEscape says which part has a percent sign that means nothing. It doesn't repeat it.
func errEscape(part string) error {
	return fmt.Errorf("%s has a %% that is not followed by two hexadecimal digits; the sign itself is written %%25", part)
}

// credentials reads USER or USER:PASSWORD.
func (a *address) credentials(text string) error {
	user, written, _ := strings.Cut(text, ":")
	user, err := url.PathUnescape(user)
	if err != nil {
		return errEscape("the user")
	}
	password, err := url.PathUnescape(written)
	if err != nil {
		return errEscape("the password")
	}
	a.user, a.password, a.written = user, hide(password), hide(written)
	return nil
}

// place reads HOST, HOST:PORT, [IPv6] or [IPv6]:PORT.
func (a *address) place(text string) error {
	host, port := text, ""
	if inside, ok := strings.CutPrefix(text, "["); ok {
		inside, after, closed := strings.Cut(inside, "]")
		if !closed || net.ParseIP(inside) == nil || after != "" && after[0] != ':' {
			return errors.New("has an IPv6 address that can't be read; it is written [::1] or [::1]:5432")
		}
		host, port = inside, strings.TrimPrefix(after, ":")
	} else if i := strings.IndexByte(text, ':'); i >= 0 {
		host, port = text[:i], text[i+1:]
	}
	if strings.Contains(host, ",") || strings.Contains(port, ",") {
		return errors.New("names several hosts; one is what we can watch")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return errors.New("has a port that is no number from 1 to 65535; inside of a user or a password a : is written %3A and an @ %40")
		}
		a.port = int(n)
	}
	host, err := url.PathUnescape(host)
	if err != nil {
		return errEscape("the host")
	}
	if strings.HasPrefix(host, "/") { // libpq: postgresql://%2Frun%2Fpostgresql/db
		a.socket = host
		return nil
	}
	a.host = host
	return nil
}

// settle moves options that say what the rest of a URL can say, and checks the whole.
// Go's sqlserver:// has the instance where all others have the database.
func (a address) settle(sqlserver bool) (address, error) {
	if a.engine == engineSQLite {
		return a.settleFile()
	}
	named := a.take("database", "dbname")
	switch {
	case sqlserver && named != "" && a.database != "":
		a.options["instance"], a.database = a.database, named
	case a.database == "":
		a.database = named
	case named != "" && named != a.database:
		return address{}, errors.New("names two databases")
	}
	if user := a.take("user", "username"); a.user == "" {
		a.user = user
	}
	if p := a.take("password"); a.password.reveal() == "" {
		a.password = hide(p)
	}
	if err := errors.Join(a.settlePlace(), a.settleTLS()); err != nil {
		return address{}, err
	}
	if a.database == "" && a.engine != enginePostgres {
		return address{}, fmt.Errorf("names no database: %s://user:password@host/DATABASE", a.engine)
	}
	return a, nil
}

// settlePlace takes a host, a port or a socket from the options.
func (a *address) settlePlace() error {
	if host := a.take("host"); host != "" {
		if a.host != "" || a.socket != "" {
			return errors.New("names two hosts")
		}
		if strings.Contains(host, ",") {
			return errors.New("names several hosts; one is what we can watch")
		}
		if strings.HasPrefix(host, "/") {
			a.socket = host
		} else {
			a.host = host
		}
	}
	if port := a.take("port"); port != "" && a.port == 0 {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return errors.New("has an option port that is no number from 1 to 65535")
		}
		a.port = int(n)
	}
	if socket := a.take("unix_socket"); socket != "" {
		a.socket = socket
	}
	if a.socket != "" && !strings.HasPrefix(a.socket, "/") {
		return errors.New("names a socket by a path that is not absolute")
	}
	return nil
}

// take removes options of these names, and returns the value of one that was given.
func (a *address) take(names ...string) (value string) {
	for _, name := range names {
		if v, ok := a.options[name]; ok {
			value = v
			delete(a.options, name)
		}
	}
	return value
}

// String is the URL in one way of writing, with *** for a password.
func (a address) String() string {
	var b strings.Builder
	b.WriteString(a.engine + "://")
	if a.engine == engineSQLite {
		u := url.URL{Path: a.database}
		return b.String() + "/" + u.EscapedPath()
	}
	if a.user != "" || a.password.reveal() != "" {
		b.WriteString(strings.ReplaceAll(url.QueryEscape(a.user), "+", "%20"))
		if a.password.reveal() != "" {
			b.WriteString(":***")
		}
		b.WriteString("@")
	}
	switch {
	case strings.Contains(a.host, ":"):
		b.WriteString("[" + a.host + "]")
	default:
		b.WriteString(url.PathEscape(a.host))
	}
	if a.port != 0 {
		b.WriteString(":" + strconv.Itoa(a.port))
	}
	b.WriteString("/" + strings.ReplaceAll(url.QueryEscape(a.database), "+", "%20"))
	b.WriteString(a.query())
	return b.String()
}

// query is what follows the name of the database in String, or nothing.
func (a address) query() string {
	options := url.Values{}
	for name, value := range a.options {
		options.Set(name, value)
	}
	switch {
	case a.socket == "":
	case a.engine == engineMySQL:
		options.Set("unix_socket", a.socket)
	default:
		options.Set("host", a.socket)
	}
	if len(options) == 0 {
		return ""
	}
	return "?" + options.Encode()
}

// GoString keeps the password out of %#v.
func (a address) GoString() string { return "address(" + a.String() + ")" }

// Format keeps the password out of every verb.
func (a address) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(a.String())) }

// MarshalText keeps the password out of JSON.
func (a address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// same tells whether two addresses mean one connection: the same place, as the same
// user with the same password.
func (a address) same(b address) bool { return a.identity() == b.identity() }

// identity is equal for addresses that mean one connection. It holds the password, so
// it is a key of maps and nothing else.
func (a address) identity() string {
	host := a.host
	if host == "" && a.socket == "" {
		host = "localhost"
	}
	port := a.port
	if port == 0 {
		port = usualPort[a.engine]
	}
	parts := []string{a.engine, a.user, a.password.reveal(), strings.ToLower(host), strconv.Itoa(port), a.socket, a.database}
	for name, value := range a.options {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts[7:])
	for i := range parts {
		parts[i] = strconv.Quote(parts[i])
	}
	return strings.Join(parts, " ")
}

var usualPort = map[string]int{enginePostgres: 5432, engineMySQL: 3306, engineMSSQL: 1433}
