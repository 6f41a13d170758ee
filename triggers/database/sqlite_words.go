package database

import (
	"errors"
	"io/fs"
	"regexp"
	"sync"

	"github.com/glebarez/go-sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// plainError says the same as an error of SQLite or of its file, for people.
type plainError struct {
	text string
	of   error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.of }

// codes are what the driver puts around a message: of which sort it is, and its number.
var codes = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^SQL logic error: | \(\d+\)( \(SQLITE_\w+\))?$`) })

// plainly says what SQLite, or the system of its file, has said in codes. Other errors
// stay as they are.
func plainly(err error) error {
	var e *sqlite.Error
	var path *fs.PathError
	switch {
	case errors.As(err, &e):
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return &plainError{"another program keeps the file locked", err}
		}
		return &plainError{codes().ReplaceAllString(e.Error(), ""), err}
	case errors.As(err, &path) && path.Op == "stat" && errors.Is(err, fs.ErrNotExist):
		return &plainError{"there is no file " + path.Path, err}
	}
	return err
}
