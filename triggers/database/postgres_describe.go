package database

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// catalogueLimit bounds each look into a catalogue.
const catalogueLimit = 10 * time.Second

// postgresTable finds a table by its name in a schema or along the search path. A name
// that isn't there as written is looked for in small letters, as SQL folds it.
const postgresTable = `
SELECT c.oid::text, n.nspname, c.relname, c.relkind::text, has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname IN ($2::text, lower($2::text))
AND CASE WHEN $1::text = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname IN ($1::text, lower($1::text)) END
ORDER BY c.relname = $2::text DESC, n.nspname = $1::text DESC LIMIT 1`

// A domain is described by what it is made of.
const postgresColumns = `
WITH RECURSIVE base AS (
  SELECT a.attnum, t.oid AS typ, t.typtype, t.typbasetype, t.typcategory, t.typelem, t.typnotnull
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, t.oid, t.typtype, t.typbasetype, t.typcategory, t.typelem, t.typnotnull OR b.typnotnull
  FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
)
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), b.typ::bigint, b.typtype::text, b.typcategory::text, b.typelem::bigint,
  a.attnotnull OR b.typnotnull,
  COALESCE(pg_catalog.pg_get_serial_sequence($2, a.attname), '') <> ''
FROM pg_catalog.pg_attribute a JOIN base b ON b.attnum = a.attnum AND b.typtype <> 'd'
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

const postgresKey = `
SELECT a.attname FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = $1::oid AND i.indisprimary ORDER BY k.place`

const postgresNear = `
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') LIMIT 1000`

func (c *postgresConn) describe(ctx context.Context, name tableName) (table, error) {
	found, err := c.ask(ctx, postgresTable, name.schema, name.name)
	if err != nil {
		return table{}, err
	}
	if len(found) == 0 {
		return table{}, c.absent(ctx, name)
	}
	oid, t := found[0][0].(string), table{schema: found[0][1].(string), name: found[0][2].(string)}
	if allowed, _ := found[0][4].(bool); !allowed {
		return table{}, &closedError{table: name, user: c.user}
	}
	quoted := postgresDialect{}.quote(t.schema) + "." + postgresDialect{}.quote(t.name)
	columns, err := c.ask(ctx, postgresColumns, oid, quoted)
	if err != nil {
		return table{}, err
	}
	for _, v := range columns {
		if v[4].(string) == "A" {
			c.arrays[v[2].(int64)] = v[5].(int64)
		}
		col := column{name: v[0].(string), typ: v[1].(string), class: postgresClass(v[2].(int64), v[3].(string), v[4].(string))}
		col.notNull, _ = v[6].(bool)
		t.columns = append(t.columns, col)
		if counted, _ := v[7].(bool); counted && t.serial == "" && col.class == classInteger {
			t.serial = col.name
		}
	}
	key, err := c.ask(ctx, postgresKey, oid)
	for _, v := range key {
		t.key = append(t.key, v[0].(string))
	}
	if kind := found[0][3].(string); err == nil && kind != "v" && kind != "f" {
		err = c.indexes(ctx, &t, oid)
	}
	return t, err
}

// postgresIndexes are columns of indexes that hold all rows in their order; that of an
// expression has no name.
const postgresIndexes = `
SELECT i.indexrelid::bigint, COALESCE(a.attname, '') FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree' AND k.place <= i.indnkeyatts ORDER BY 1, k.place`

// indexes are only spoken of: where they can't be seen (servers before 11 don't know all
// that is asked, and catalogues may be closed), nobody knows.
func (c *postgresConn) indexes(ctx context.Context, t *table, oid string) error {
	found, err := c.ask(ctx, postgresIndexes, oid)
	if (postgresDialect{}).judge(err) == troubleLost {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // no trigger fails for want of advice
	}
	t.indexes = [][]string{}
	for i, v := range found {
		t.indexColumn(i == 0 || found[i-1][0] != v[0], v[1].(string))
	}
	return err
}

// postgresClass is the class of a column by its type, and by what kind of type that is.
func postgresClass(oid int64, kind, category string) class {
	if c, ok := postgresClasses[uint32(oid)]; ok { //nolint:gosec // an OID has 32 bits
		return c
	}
	switch {
	case category == "A":
		return classJSON
	case category == "S" && kind == "b": // citext
		return classText
	}
	return classOther
}

// absent says that a table is not there, and which one may be meant.
func (c *postgresConn) absent(ctx context.Context, name tableName) error {
	others, err := c.ask(ctx, postgresNear)
	if err != nil {
		return err
	}
	var known []string
	for _, v := range others {
		schema, other := v[0].(string), v[1].(string)
		known = append(known, schema+"."+other)
		if name.schema == "" {
			known = append(known, other)
		}
	}
	slices.Sort(known)
	near := graph.Suggest(name.String(), known)
	if near == "" && name.schema == "" { // it may be in a schema that is not looked into
		i := slices.IndexFunc(known, func(k string) bool { return strings.HasSuffix(k, "."+name.name) })
		if i >= 0 {
			near = known[i]
		}
	}
	return &absentError{table: name, near: near}
}

// ask reads all rows of a query of ours.
func (c *postgresConn) ask(ctx context.Context, query string, args ...any) (rows [][]any, err error) {
	err = c.read(ctx, query, args, catalogueLimit, func(values []any) error {
		rows = append(rows, values)
		return nil
	})
	return rows, err
}
