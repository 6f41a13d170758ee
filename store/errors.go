package store

import (
	"errors"

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
