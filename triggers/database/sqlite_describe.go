package database

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

func (c *sqliteConn) describe(ctx context.Context, name tableName) (table, error) {
	if name.schema != "" && !strings.EqualFold(name.schema, "main") {
		return table{}, &absentError{table: name} // a file has no schemas
	}
	if err := c.ready(ctx); err != nil {
		return table{}, err
	}
	var t table
	err := c.interruptible(ctx, func(ctx context.Context) error {
		var err error
		t, err = c.describeNow(ctx, name)
		return err
	})
	return t, err
}

func (c *sqliteConn) describeNow(ctx context.Context, name tableName) (table, error) {
	t := table{schema: "main"}
	var form string
	var withoutRowid bool
	err := c.conn.QueryRowContext(ctx, "SELECT name, type, wr FROM pragma_table_list(?) WHERE schema = 'main'", name.name).
		Scan(&t.name, &form, &withoutRowid)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return table{}, c.noTable(ctx, name)
	case err != nil:
		return table{}, err
	}
	if err := c.columns(ctx, &t); err != nil {
		return table{}, err
	}
	if form == "table" && !withoutRowid {
		t.rowid = t.freeRowid()
	}
	if form == "table" {
		err = c.indexes(ctx, &t)
	}
	return t, err
}

// noTable is the error about a table that is not there, with one of a similar name.
func (c *sqliteConn) noTable(ctx context.Context, name tableName) error {
	rows, err := c.conn.QueryContext(ctx, "SELECT name FROM pragma_table_list WHERE schema = 'main' ORDER BY name LIMIT 1000")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return err
		}
		names = append(names, n)
	}
	return errors.Join(rows.Err(), &absentError{table: name, near: graph.Suggest(name.name, names)})
}

// columns reads the columns of a table, without hidden ones.
func (c *sqliteConn) columns(ctx context.Context, t *table) error {
	rows, err := c.conn.QueryContext(ctx, `SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`, t.name)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	key := map[int]string{}
	for rows.Next() {
		var col column
		var pk int
		if err := rows.Scan(&col.name, &col.typ, &col.notNull, &pk); err != nil {
			return err
		}
		col.class = sqliteClass(col.typ)
		if pk > 0 {
			key[pk] = col.name
		}
		t.columns = append(t.columns, col)
	}
	for n := 1; key[n] != ""; n++ {
		t.key = append(t.key, key[n])
	}
	if len(t.key) == 1 {
		i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == t.key[0] })
		if strings.EqualFold(t.columns[i].typ, "INTEGER") {
			t.columns[i].notNull = true // it is the rowid
		}
	}
	return rows.Err()
}

// sqliteIndexes are columns of indexes that hold all rows, in the order of each.
const sqliteIndexes = `SELECT l.seq, i.name FROM pragma_index_list(?) l JOIN pragma_index_xinfo(l.name) i
WHERE l.partial = 0 AND i.key = 1 ORDER BY l.seq, i.seqno`

func (c *sqliteConn) indexes(ctx context.Context, t *table) error {
	t.indexes = [][]string{}
	if len(t.key) == 1 && t.rowid != "" {
		if key, ok := t.column(t.key[0]); ok && strings.EqualFold(key.typ, "INTEGER") {
			t.indexes = append(t.indexes, t.key) // it is the rowid
		}
	}
	rows, err := c.conn.QueryContext(ctx, sqliteIndexes, t.name)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for last := int64(-1); rows.Next(); {
		var at int64
		var name sql.NullString // NULL of an expression
		if err := rows.Scan(&at, &name); err != nil {
			return err
		}
		t.indexColumn(at != last, name.String)
		last = at
	}
	return rows.Err()
}

// freeRowid is a name of the rowid that no column has.
func (t *table) freeRowid() string {
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if !slices.ContainsFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, name) }) {
			return name
		}
	}
	return ""
}

// sqliteClass is what a declared type promises. SQLite keeps any value in any column,
// so it says what to make of a value of which it may be true.
func sqliteClass(typ string) class {
	typ = strings.ToUpper(typ)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(typ, w) })
	}
	switch {
	case has("BOOL"):
		return classBool
	case has("JSON"):
		return classJSON
	case has("DATE", "TIME"):
		return classOther // text or a number, as its writers like it
	case has("INT"):
		return classInteger
	case has("CHAR", "CLOB", "TEXT"):
		return classText
	case has("BLOB") || typ == "":
		return classBytes
	case has("REAL", "FLOA", "DOUBLE"):
		return classFloat
	case has("DEC", "NUM"):
		return classDecimal
	}
	return classOther
}
