package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// silence is how long after the limit of a statement its server may keep still before
// it is taken for lost. Ending a statement takes a server that is alive far less.
const silence = 2 * time.Second

// farewell bounds what is said to a server after the context of a read has ended.
const farewell = time.Second

// connecting bounds a connect where the URL says nothing about it.
const connecting = 10 * time.Second

// errSilent is the cause of giving a server up that did not even enforce a limit.
var errSilent = errors.New("the server does not answer")

// lostError is of a connection that can't be used any more.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// absentError is of a table that is not there.
type absentError struct {
	table tableName
	near  string // a table with a similar name, or empty
}

func (e *absentError) Error() string {
	text := "there is no table " + e.table.String()
	if e.near != "" {
		text += "; did you mean " + e.near + "?"
	}
	return text
}

// closedError is of a table that may not be read.
type closedError struct {
	table tableName
	user  string
}

func (e *closedError) Error() string {
	return fmt.Sprintf("user %s may not read table %s", e.user, e.table)
}

// String is the name as people write it.
func (n tableName) String() string {
	if n.schema == "" {
		return n.name
	}
	return n.schema + "." + n.name
}

// judgeTransport judges what every engine has in common: our own errors, and those of
// the network.
func judgeTransport(err error) trouble {
	var network net.Error
	var lost *lostError
	var absent *absentError
	var closed *closedError
	var at *addressError
	switch {
	case errors.As(err, &at):
		return troubleOther
	case errors.As(err, &lost):
		return troubleLost
	case errors.As(err, &absent):
		return troubleMissing
	case errors.As(err, &closed):
		return troubleDenied
	case untrusted(err):
		return troubleOther
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errSilent), errors.As(err, &network):
		return troubleLost
	}
	return troubleOther
}

// within is a context for one statement: it ends a while after the server should have
// ended the statement by itself.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit+silence, errSilent)
}

// afterwards is a context for what is said to a server at the end of a read, even if
// that of the read has ended.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.WithoutCancel(ctx), farewell, errSilent)
}

// briefly is an error of a connect in a few words: what the network says without what we
// say ourselves, each line once.
func briefly(a address, err error) string {
	var name *net.DNSError
	var op *net.OpError
	switch {
	case untrusted(err):
		return oneLine(briefTLS(a, err))
	case errors.As(err, &name) && name.IsNotFound:
		return "there is no host " + name.Name
	case errors.Is(err, errSilent), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent.Error()
	case errors.As(err, &op):
		return strings.TrimPrefix(op.Err.Error(), "connect: ")
	}
	return oneLine(err.Error())
}

// oneLine makes one line of a message.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
