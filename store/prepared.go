package store

import (
	"database/sql"
	"fmt"
	"reflect"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The driver compiles a statement each time it runs, which costs three times as much
// as running it. prepared keeps the writer's statements compiled, on the driver's own
// connection: it borrows the handle while the driver waits for us, on the one
// goroutine that writes.
type prepared struct {
	tls    *libc.TLS
	db     uintptr
	stmts  map[string]uintptr
	allocs []uintptr // of the statement that runs
}

// maxPrepared bounds the statements that are kept; there are fewer different ones.
const maxPrepared = 256

// borrow looks into the driver's connection. nil: it is built otherwise than we know,
// and statements go through the driver.
func borrow(c *sql.Conn) (*prepared, error) {
	var p *prepared
	err := c.Raw(func(dc any) error {
		v := reflect.ValueOf(dc)
		if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
			return nil
		}
		tls, db := v.Elem().FieldByName("tls"), v.Elem().FieldByName("db")
		if !tls.IsValid() || tls.Type() != reflect.TypeFor[*libc.TLS]() || !db.IsValid() || db.Kind() != reflect.Uintptr {
			return nil
		}
		p = &prepared{tls: (*libc.TLS)(tls.UnsafePointer()), db: uintptr(db.Uint()), stmts: map[string]uintptr{}}
		return nil
	})
	return p, err
}

// sqliteError is an error of SQLite that did not come through the driver.
type sqliteError struct {
	code int // extended
	msg  string
}

func (e *sqliteError) Error() string { return fmt.Sprintf("%s (%d)", e.msg, e.code) }

func (p *prepared) failure(rc int32) error {
	return &sqliteError{int(rc), libc.GoString(sqlite3.Xsqlite3_errmsg(p.tls, p.db))}
}

// exec runs a statement to its end.
func (p *prepared) exec(q string, args []any) (changed, rowid int64, err error) {
	stmt, err := p.compile(q)
	if err != nil {
		return 0, 0, err
	}
	defer p.free()
	if n := sqlite3.Xsqlite3_bind_parameter_count(p.tls, stmt); int(n) != len(args) {
		return 0, 0, fmt.Errorf("%d arguments for %d places in %q", len(args), n, q)
	}
	for i, a := range args {
		if err := p.bind(stmt, int32(i+1), a); err != nil {
			return 0, 0, err
		}
	}
	rc := sqlite3.Xsqlite3_step(p.tls, stmt)
	if rc != sqlite3.SQLITE_DONE && rc != sqlite3.SQLITE_ROW {
		err = p.failure(rc)
	} else {
		changed, rowid = sqlite3.Xsqlite3_changes64(p.tls, p.db), sqlite3.Xsqlite3_last_insert_rowid(p.tls, p.db)
	}
	sqlite3.Xsqlite3_reset(p.tls, stmt) // it repeats the error of the step
	return changed, rowid, err
}

func (p *prepared) compile(q string) (uintptr, error) {
	if stmt, ok := p.stmts[q]; ok {
		return stmt, nil
	}
	if len(p.stmts) >= maxPrepared {
		p.close()
	}
	text, err := libc.CString(q)
	if err != nil {
		return 0, err
	}
	defer libc.Xfree(p.tls, text)
	out := p.tls.Alloc(8)
	defer p.tls.Free(8)
	if rc := sqlite3.Xsqlite3_prepare_v3(p.tls, p.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, 0); rc != sqlite3.SQLITE_OK {
		return 0, p.failure(rc)
	}
	stmt := libc.AtomicLoadPUintptr(out)
	p.stmts[q] = stmt
	return stmt, nil
}

func (p *prepared) bind(stmt uintptr, i int32, a any) error {
	var rc int32
	switch a := a.(type) {
	case nil:
		rc = sqlite3.Xsqlite3_bind_null(p.tls, stmt, i)
	case int64:
		rc = sqlite3.Xsqlite3_bind_int64(p.tls, stmt, i, a)
	case int:
		rc = sqlite3.Xsqlite3_bind_int64(p.tls, stmt, i, int64(a))
	case bool:
		n := int64(0)
		if a {
			n = 1
		}
		rc = sqlite3.Xsqlite3_bind_int64(p.tls, stmt, i, n)
	case string:
		c, err := p.copy(a)
		if err != nil {
			return err
		}
		rc = sqlite3.Xsqlite3_bind_text(p.tls, stmt, i, c, int32(len(a)), sqlite3.SQLITE_STATIC)
	case []byte:
		if a == nil {
			rc = sqlite3.Xsqlite3_bind_null(p.tls, stmt, i)
			break
		}
		c, err := p.copy(string(a))
		if err != nil {
			return err
		}
		rc = sqlite3.Xsqlite3_bind_blob(p.tls, stmt, i, c, int32(len(a)), sqlite3.SQLITE_STATIC)
	default:
		return fmt.Errorf("argument %d is a %T, which has no place in a row", i, a)
	}
	if rc != sqlite3.SQLITE_OK {
		return p.failure(rc)
	}
	return nil
}

// copy lends SQLite bytes until the statement has run.
func (p *prepared) copy(s string) (uintptr, error) {
	c, err := libc.CString(s)
	if err == nil {
		p.allocs = append(p.allocs, c)
	}
	return c, err
}

func (p *prepared) free() {
	for _, a := range p.allocs {
		libc.Xfree(p.tls, a)
	}
	p.allocs = p.allocs[:0]
}

// close gives the statements back; the connection stays the driver's.
func (p *prepared) close() {
	for q, stmt := range p.stmts {
		sqlite3.Xsqlite3_finalize(p.tls, stmt)
		delete(p.stmts, q)
	}
}
