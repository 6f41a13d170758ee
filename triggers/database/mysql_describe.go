package database

import (
	"context"
	"strings"

	"github.com/latticed/latticed/graph"
)

// The catalogue compares names without regard to capitals, whatever the server does with
// the names of tables: so the one as written comes first.
const mysqlTable = `
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?
ORDER BY BINARY TABLE_NAME = BINARY ? DESC LIMIT 1`

const mysqlColumns = `
SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE = 'NO', EXTRA LIKE '%auto_increment%'
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND BINARY TABLE_NAME = BINARY ? ORDER BY ORDINAL_POSITION`

// mysqlIndexes are columns of indexes that have the whole of a column in its order; that
// of an expression has no name.
const mysqlIndexes = `
SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), INDEX_TYPE = 'BTREE' AND SUB_PART IS NULL FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = ? AND BINARY TABLE_NAME = BINARY ? ORDER BY INDEX_NAME, SEQ_IN_INDEX`

const mysqlNear = `
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) ORDER BY TABLE_NAME LIMIT 1000`

// mariaJSON are the columns that MariaDB keeps JSON in, which it has no type for.
const mariaJSON = `
SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = ? AND BINARY TABLE_NAME = BINARY ? AND CHECK_CLAUSE LIKE 'json\_valid(%)'`

func (c *mysqlConn) describe(ctx context.Context, name tableName) (table, error) {
	found, err := c.ask(ctx, mysqlTable, name.schema, name.name, name.name)
	if err != nil {
		return table{}, err
	}
	if len(found) == 0 {
		return table{}, c.absent(ctx, name)
	}
	t := table{schema: found[0][0].(string), name: found[0][1].(string)}
	columns, err := c.ask(ctx, mysqlColumns, t.schema, t.name)
	if err != nil {
		return table{}, err
	}
	for _, v := range columns {
		col := column{name: v[0].(string), typ: v[1].(string), class: mysqlClass(v[2].(string)), notNull: v[3] == int64(1)}
		t.columns = append(t.columns, col)
		if v[4] == int64(1) {
			t.serial = col.name
		}
	}
	if err := c.indexes(ctx, &t, found[0][2].(string)); err != nil {
		return table{}, err
	}
	return t, c.noteJSON(ctx, t)
}

// indexes reads the primary key and the others.
func (c *mysqlConn) indexes(ctx context.Context, t *table, form string) error {
	found, err := c.ask(ctx, mysqlIndexes, t.schema, t.name)
	if form == "BASE TABLE" {
		t.indexes = [][]string{}
	}
	for i, v := range found {
		name, usable := v[1].(string), v[2] == int64(1)
		if v[0] == "PRIMARY" {
			t.key = append(t.key, name)
		}
		if !usable {
			name = ""
		}
		t.indexColumn(i == 0 || found[i-1][0] != v[0], name)
	}
	return err
}

// noteJSON finds the columns of JSON that MariaDB says are text.
func (c *mysqlConn) noteJSON(ctx context.Context, t table) error {
	if !c.maria {
		return nil
	}
	checks, err := c.ask(ctx, mariaJSON, t.schema, t.name)
	quote := mysqlDialect{}.quote
	for _, v := range checks {
		for i := range t.columns {
			if v[0] == "json_valid("+quote(t.columns[i].name)+")" {
				t.columns[i].class = classJSON
			}
		}
	}
	return err
}

// absent says that a table is not there, or that this user may not know.
func (c *mysqlConn) absent(ctx context.Context, name tableName) error {
	d := (mysqlDialect{})
	quoted := d.quote(name.name)
	if name.schema != "" {
		quoted = d.quote(name.schema) + "." + quoted
	}
	if _, err := c.ask(ctx, "SELECT 1 FROM "+quoted+" LIMIT 0"); d.judge(err) == troubleDenied && err != nil {
		return &closedError{table: name, user: c.user}
	}
	others, err := c.ask(ctx, mysqlNear, name.schema)
	if err != nil {
		return err
	}
	known := make([]string, len(others))
	for i, v := range others {
		known[i] = tableName{name.schema, v[0].(string)}.String()
	}
	return &absentError{table: name, near: graph.Suggest(name.String(), known)}
}

func (c *mysqlConn) ask(ctx context.Context, query string, args ...any) (rows [][]any, err error) {
	err = c.read(ctx, query, args, catalogueLimit, func(values []any) error {
		rows = append(rows, values)
		return nil
	})
	return rows, err
}

// mysqlClass is the class of a column by the name of its type.
func mysqlClass(typ string) class {
	switch strings.ToLower(typ) {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit":
		return classInteger
	case "float", "double":
		return classFloat
	case "decimal":
		return classDecimal
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
		return classText
	case "timestamp":
		return classInstant
	case "datetime":
		return classWall
	case "date":
		return classDate
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return classBytes
	case "json":
		return classJSON
	case "enum", "set": // sorted by their numbers, compared by their names
		return classUnordered
	case "uuid":
		return classUUID
	}
	return classOther
}
