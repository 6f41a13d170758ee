package store

import (
	"database/sql"
	"fmt"
	"reflect"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// preparedRow is a row of a statement that did not come through the driver.
type preparedRow struct {
	p    *prepared
	stmt uintptr
}

// Scan copies the columns. As everywhere in this package, a NULL is a zero value.
func (r preparedRow) Scan(into ...any) error {
	if n := sqlite3.Xsqlite3_column_count(r.p.tls, r.stmt); int(n) != len(into) {
		return fmt.Errorf("%d columns for %d places", n, len(into))
	}
	for i, v := range into {
		if err := r.column(int32(i), v); err != nil {
			return err
		}
	}
	return nil
}

func (r preparedRow) column(i int32, into any) error {
	switch v := into.(type) {
	case *int64:
		*v = r.int(i)
	case *int:
		*v = int(r.int(i))
	case **int:
		*v = nil
		if !r.null(i) {
			n := int(r.int(i))
			*v = &n
		}
	case *bool:
		*v = r.int(i) != 0
	case *string:
		*v = string(r.bytes(i))
	case *[]byte:
		*v = nil
		if !r.null(i) {
			*v = append([]byte{}, r.bytes(i)...)
		}
	case *sql.NullInt64:
		v.Valid = !r.null(i)
		v.Int64 = r.int(i)
	case *sql.NullString:
		v.Valid = !r.null(i)
		v.String = string(r.bytes(i))
	default:
		p := reflect.ValueOf(into) // a word with a type of its own
		if p.Kind() != reflect.Pointer || p.Elem().Kind() != reflect.String {
			return fmt.Errorf("column %d has no way into a %T", i, into)
		}
		p.Elem().SetString(string(r.bytes(i)))
	}
	return nil
}

func (r preparedRow) null(i int32) bool {
	return sqlite3.Xsqlite3_column_type(r.p.tls, r.stmt, i) == sqlite3.SQLITE_NULL
}

func (r preparedRow) int(i int32) int64 { return sqlite3.Xsqlite3_column_int64(r.p.tls, r.stmt, i) }

// bytes are SQLite's own, until the next step.
func (r preparedRow) bytes(i int32) []byte {
	b := sqlite3.Xsqlite3_column_blob(r.p.tls, r.stmt, i)
	if b == 0 {
		return nil
	}
	return libc.GoBytes(b, int(sqlite3.Xsqlite3_column_bytes(r.p.tls, r.stmt, i)))
}
