package store

import (
	"database/sql"
	"errors"
	"fmt"

	gosqlite "github.com/glebarez/go-sqlite"
	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/triggers"
)

// ErrNotFound means that there is no such thing; the message names it.
var ErrNotFound = triggers.ErrNotFound

// ConflictError means that a name is taken or a state forbids the change. Codes:
// name_taken, dispatch_running, dispatch_is_target, lattice_in_use,
// lattice_is_target.
type ConflictError = triggers.ConflictError

var (
	// ErrDiskFull means that nothing can be stored until there is space again.
	ErrDiskFull = errors.New("the disk of the state directory is full")
	// ErrBusy means that another program locks the database.
	ErrBusy = errors.New("the database is locked by another program")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrKeyReused means that an idempotency key came with another body.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrCursor means that a page cursor is not one of ours.
	ErrCursor = errors.New("the page cursor is not valid; take the one of the last answer's next")
)

// HashError means that uploaded bytes are not what was declared.
type HashError struct{ Declared, Actual string }

func (e *HashError) Error() string {
	return "the bytes have SHA-256 " + e.Actual + ", declared was " + e.Declared
}

// MissingAssetError means that a lattice names an asset nobody uploaded.
type MissingAssetError struct{ Path, SHA256 string }

func (e *MissingAssetError) Error() string {
	return "include." + e.Path + ": there is no asset " + e.SHA256 + "; upload it first"
}

// The primary result codes of SQLite after which a transaction must not go on.
const (
	sqliteBusy    = 5
	sqliteLocked  = 6
	sqliteNoMem   = 7
	sqliteIOErr   = 10
	sqliteCorrupt = 11
	sqliteFull    = 13
	sqliteCantGo  = 14 // can't open
	sqliteNotADB  = 26
)

func sqliteCode(err error) int {
	var e *gosqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	var own *sqliteError
	if errors.As(err, &own) {
		return own.code & 0xff
	}
	return 0
}

// isStorage tells errors of the disk and the database file from those of a unit.
func isStorage(err error) bool {
	switch sqliteCode(err) {
	case sqliteBusy, sqliteLocked, sqliteNoMem, sqliteIOErr, sqliteCorrupt, sqliteFull, sqliteCantGo, sqliteNotADB:
		return true
	}
	return errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone)
}

// storageError gives the errors that callers show as a state their sentinel.
func storageError(err error) error {
	switch code := sqliteCode(err); {
	case err == nil || errors.Is(err, ErrDiskFull) || errors.Is(err, ErrBusy):
		return err
	case code == sqliteFull || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case code == sqliteBusy || code == sqliteLocked:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// MissingError names what is ErrNotFound.
type MissingError struct {
	What, Name string
	Near       string // what was meant, when that is known here
}

func (e *MissingError) Error() string {
	said := fmt.Sprintf("%s %q: %v", e.What, e.Name, ErrNotFound)
	if e.Near != "" {
		said += fmt.Sprintf("; did you mean %q?", e.Near)
	}
	return said
}

// Unwrap makes it ErrNotFound.
func (e *MissingError) Unwrap() error { return ErrNotFound }

// notFound gives an empty answer its name.
func notFound(what, id string) error { return &MissingError{What: what, Name: id} }
