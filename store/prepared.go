package store

import (
	"database/sql"
	"fmt"
	"reflect"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The driver compiles a statement each time it runs, which costs three times as much
// as running it. prepared keeps the statements of one connection compiled, on the
// driver's own handle: it borrows it while the driver waits for us. One goroutine at a
// time may use it.
type prepared struct {
	tls    *libc.TLS
	db     uintptr
	stmts  map[string]*statement
	allocs []uintptr // of the statements that run, the innermost last
}

// statement is a compiled one.
type statement struct {
	handle uintptr
	busy   bool // it has rows to give
	once   bool // not kept
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
		p = &prepared{tls: (*libc.TLS)(tls.UnsafePointer()), db: uintptr(db.Uint()), stmts: map[string]*statement{}}
		return p.stablePlans()
	})
	return p, err
}

// stablePlans keeps SQLite from planning a query anew because of the values that are
// bound, which it does for each LIMIT ?.
func (p *prepared) stablePlans() error {
	values := libc.NewVaList(int32(1), uintptr(0))
	defer libc.Xfree(p.tls, values)
	if rc := sqlite3.Xsqlite3_db_config(p.tls, p.db, sqlite3.SQLITE_DBCONFIG_ENABLE_QPSG, values); rc != sqlite3.SQLITE_OK {
		return p.failure(rc)
	}
	return nil
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
	err = p.run(q, args, func(stmt uintptr) error {
		rc := sqlite3.Xsqlite3_step(p.tls, stmt)
		if rc != sqlite3.SQLITE_DONE && rc != sqlite3.SQLITE_ROW {
			return p.failure(rc)
		}
		changed, rowid = sqlite3.Xsqlite3_changes64(p.tls, p.db), sqlite3.Xsqlite3_last_insert_rowid(p.tls, p.db)
		return nil
	})
	return changed, rowid, err
}

// query calls scan for each row of a statement.
func (p *prepared) query(q string, args []any, scan func(rowScanner) error) error {
	return p.run(q, args, func(stmt uintptr) error {
		for {
			switch rc := sqlite3.Xsqlite3_step(p.tls, stmt); rc {
			case sqlite3.SQLITE_ROW:
				if err := scan(preparedRow{p, stmt}); err != nil {
					return err
				}
			case sqlite3.SQLITE_DONE:
				return nil
			default:
				return p.failure(rc)
			}
		}
	})
}

// run lends a statement with its arguments bound.
func (p *prepared) run(q string, args []any, do func(stmt uintptr) error) error {
	st, err := p.compile(q)
	if err != nil {
		return err
	}
	st.busy = true
	mark := len(p.allocs)
	defer func() {
		sqlite3.Xsqlite3_reset(p.tls, st.handle) // it repeats the error of the step
		p.free(mark)
		if st.busy = false; st.once {
			sqlite3.Xsqlite3_finalize(p.tls, st.handle)
		}
	}()
	if n := sqlite3.Xsqlite3_bind_parameter_count(p.tls, st.handle); int(n) != len(args) {
		return fmt.Errorf("%d arguments for %d places in %q", len(args), n, q)
	}
	for i, a := range args {
		if err := p.bind(st.handle, int32(i+1), a); err != nil {
			return err
		}
	}
	return do(st.handle)
}

// compile returns a statement that nobody uses: the kept one, or while that gives rows,
// another.
func (p *prepared) compile(q string) (*statement, error) {
	st := p.stmts[q]
	if st != nil && !st.busy {
		return st, nil
	}
	text, err := libc.CString(q)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(p.tls, text)
	out := p.tls.Alloc(8)
	defer p.tls.Free(8)
	if rc := sqlite3.Xsqlite3_prepare_v3(p.tls, p.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, 0); rc != sqlite3.SQLITE_OK {
		return nil, p.failure(rc)
	}
	fresh := &statement{handle: libc.AtomicLoadPUintptr(out), once: st != nil}
	if !fresh.once {
		p.makeRoom()
		p.stmts[q] = fresh
	}
	return fresh, nil
}

// makeRoom forgets all statements when there are too many, except those that run.
func (p *prepared) makeRoom() {
	if len(p.stmts) < maxPrepared {
		return
	}
	for q, st := range p.stmts {
		if !st.busy {
			sqlite3.Xsqlite3_finalize(p.tls, st.handle)
			delete(p.stmts, q)
		}
	}
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

// free takes back what was lent since mark.
func (p *prepared) free(mark int) {
	for _, a := range p.allocs[mark:] {
		libc.Xfree(p.tls, a)
	}
	p.allocs = p.allocs[:mark]
}

// close gives the statements back; the connection stays the driver's.
func (p *prepared) close() {
	for q, st := range p.stmts {
		sqlite3.Xsqlite3_finalize(p.tls, st.handle)
		delete(p.stmts, q)
	}
}
