package database

import (
	"context"
	"time"
)

// dialect is how one engine is spoken to. It has no state. What its errors say goes
// through a redactor at the one place where they are shown.
type dialect interface {
	// open connects. The connection is used by one goroutine at a time. It returns when
	// ctx ends, even if the server does not answer.
	open(ctx context.Context, a address) (conn, error)
	// quote makes an identifier of a name as it is in the catalogue.
	quote(name string) string
	// parameter is what stands in a statement for argument n (from 1) that is compared
	// with a column: $1, ?, @p1, or a cast of it, so that a value that read gave finds
	// the same row again, by the column's index.
	parameter(n int, c column) string
	// tuples tells whether (a, b) > (x, y) is understood and finds its way by an index.
	// Where it isn't, it is spelled out.
	tuples() bool
	// page is a SELECT (whose ORDER BY is there) cut to its first n rows.
	page(query string, n int) string
	// judge says what an error of open or of a conn means.
	judge(err error) trouble
}

// listener is implemented by dialects whose databases tell that something happens.
type listener interface {
	// listen calls wake, from any goroutine, when something was sent to a channel, and
	// for each channel once it listens. It blocks until ctx ends or the connection, its
	// own, is lost; the caller tries again.
	listen(ctx context.Context, a address, channels []string, wake func(channel string)) error
}

// conn is one connection that only reads.
type conn interface {
	// describe reads the catalogue about a table or view. One that is not there is an
	// error judged missing.
	describe(ctx context.Context, name tableName) (table, error)
	// read runs one SELECT in a read-only transaction, which has ended when it returns,
	// and calls f with each row. The slice is f's to keep. limit is enforced: by the
	// engine where it can, and read returns soon after it or the end of ctx in any case.
	//
	// Values are nil, int64, float64, bool, string, []byte, time.Time (an instant),
	// wall (a date and time of no zone), decimal, or document (JSON). Dates, times of
	// day, intervals, UUIDs and what else there is are text. Integers beyond int64 are
	// decimal.
	read(ctx context.Context, query string, args []any, limit time.Duration, f func(values []any) error) error
	// stamp is a text that stays the same as long as no row can have changed, cheaply;
	// empty: this engine can't tell.
	stamp(ctx context.Context) (string, error)
	close() error
}

// tableName is a table as the field table_name has it: the schema is empty where none
// was given.
type tableName struct{ schema, name string }

// wall is a date and time without a zone; its location is UTC.
type wall struct{ time.Time }

// decimal is an exact number, as text.
type decimal string

// document is JSON, as text.
type document string

// table is what the catalogue says.
type table struct {
	schema  string // where it was found
	name    string // as it is written there
	columns []column
	key     []string // the primary key in its order; empty: none
	rowid   string   // sqlite: a name of the rowid that no column hides; else empty
	serial  string   // an integer column that the engine counts up; empty: none
	// indexes are the columns of each index by which rows can be found in order; nil:
	// nobody knows (of a view, say), empty: there is none.
	indexes [][]string
}

// column is one of a table.
type column struct {
	name    string
	typ     string // as declared
	class   class
	notNull bool
}

// class is what the values of a column are.
type class string

// The classes.
const (
	classInteger class = "integer"
	classFloat   class = "float"
	classDecimal class = "decimal"
	classText    class = "text"
	classBool    class = "bool"
	classInstant class = "instant" // has a zone, or is UTC by nature
	classWall    class = "wall"    // a date and time of no zone
	classDate    class = "date"    // text of RFC 3339's full-date
	classBytes   class = "bytes"
	classJSON    class = "json"
	classUUID    class = "uuid" // text
	classOther   class = "other"
	// classUnordered are those that are sorted in another way than they compare.
	classUnordered class = "unordered"
)

// trouble is what an error means for those who watch.
type trouble uint8

// The troubles.
const (
	troubleOther   trouble = iota // wrong SQL, a type that does not fit: failing, with the error
	troubleLost                   // the server or file can't be reached: degraded, back-off, connect again
	troubleBusy                   // locked by somebody, or the statement took too long: degraded, tried again on the same connection
	troubleMissing                // no such table or column: failing until it is there
	troubleDenied                 // the password or a right: failing, tried again rarely
)
