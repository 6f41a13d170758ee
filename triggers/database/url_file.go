package database

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

// parseFile reads where a SQLite database is: an absolute path, a file: URL, or
// sqlite:////absolute/path.
func parseFile(text string) (address, error) {
	switch {
	case strings.HasPrefix(text, "/"):
		return address{engine: engineSQLite, database: text}.settleFile()
	case strings.HasPrefix(strings.ToLower(text), "file:"):
		return parseFileURL(text)
	case strings.Contains(text, "://"):
		a, err := parseURL(text)
		if err == nil && a.engine != engineSQLite {
			return address{}, errors.New("is the URL of a server, which kind database watches")
		}
		return a, err
	}
	return address{}, errors.New("must be an absolute path")
}

func parseFileURL(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host != "" && u.Host != "localhost" || u.Opaque != "" {
		return address{}, errors.New("can't be read as a URL of a file: it is written file:/absolute/path")
	}
	a := address{engine: engineSQLite, database: u.Path, options: map[string]string{}}
	if err := a.takeOptions(u.RawQuery); err != nil {
		return address{}, err
	}
	return a.settleFile()
}

// settleFile checks the path of a file. Options are dropped: we only read, whatever
// mode somebody else uses.
func (a address) settleFile() (address, error) {
	a.options = nil
	switch {
	case a.user != "" || a.host != "" || a.port != 0 || a.password.reveal() != "" || a.socket != "":
		return address{}, errors.New("is the URL of a file, so nothing can stand between its second and third /: sqlite:////absolute/path")
	case a.database == "" || strings.HasPrefix(a.database, ":memory:"):
		return address{}, errors.New("names no file; what is only in the memory of another process can't be watched")
	case !strings.HasPrefix(a.database, "/"):
		return address{}, errors.New("is a relative path; an absolute one has four slashes: sqlite:////absolute/path")
	case strings.ContainsRune(a.database, 0):
		return address{}, errors.New("has a zero byte in it")
	}
	a.database = filepath.Clean(a.database)
	return a, nil
}
