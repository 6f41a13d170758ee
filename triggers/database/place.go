package database

import "path/filepath"

// place is where a trigger says that its database is: one of three ways.
type place struct {
	direct address // of its fields
	file   string  // whose first line is the URL
	env    string  // a variable of the daemon that holds it
}

// address reads where the database is now.
func (p place) address() (address, error) {
	switch {
	case p.file != "":
		return urlFromFile(p.file)
	case p.env != "":
		return urlFromEnv(p.env)
	}
	return p.direct, nil
}

// mayBeFile tells whether the URL is in a file, or says that the database is one, as far
// as is known before it is read.
func (p place) mayBeFile() bool { return p.file != "" || p.direct.engine == engineSQLite }

// shared is equal for places whose triggers share a connection. It may hold a password.
func (p place) shared() string {
	switch {
	case p.file != "":
		return "file " + p.file
	case p.env != "":
		return "env " + p.env
	case p.direct.engine != engineSQLite:
		return p.direct.identity()
	}
	a := p.direct
	if path, err := filepath.EvalSymlinks(a.database); err == nil {
		a.database = path
	}
	return a.identity()
}

// scope names the database for as long as cursors are kept: who connects, and how, may
// change.
func (p place) scope() string {
	switch {
	case p.file != "":
		return "file " + p.file
	case p.env != "":
		return "env " + p.env
	}
	a := p.direct
	return address{engine: a.engine, host: a.host, port: a.port, socket: a.socket, database: a.database}.identity()
}
