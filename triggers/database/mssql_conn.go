package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// mssqlConn is one connection.
type mssqlConn struct {
	sqlConn
	user string
}

// read runs a query in a transaction that is always rolled back: SQL Server knows none
// that only reads. It has no limit for statements either, so the driver ends them by the
// protocol's own signal, on the same connection.
func (c *mssqlConn) read(ctx context.Context, query string, args []any, limit time.Duration, f func([]any) error) error {
	slow := &slowError{limit}
	inner, cancel := context.WithTimeoutCause(ctx, limit, slow)
	defer cancel()
	defer c.fence(inner, silence)()
	begin := fmt.Sprintf("SET LOCK_TIMEOUT %d; SET XACT_ABORT ON; BEGIN TRANSACTION", max(1, limit.Milliseconds()))
	_, err := c.one.ExecContext(inner, begin)
	if err == nil {
		err = c.rows(inner, query, mssqlArgs(args), mssqlValue, f)
	}
	if inner.Err() != nil {
		err = context.Cause(inner)
	}
	return c.ended(ctx, err)
}

// fence closes the network under the driver a while after a context has ended: the
// driver may not look at the context while it waits for a server. The returned function
// takes the fence away.
func (c *mssqlConn) fence(ctx context.Context, after time.Duration) (remove func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-done:
		case <-time.After(after):
			_ = c.dialer.close()
		}
	})
	return func() {
		stop()
		close(done)
	}
}

func (c *mssqlConn) ended(ctx context.Context, err error) error {
	after, cancel := afterwards(ctx)
	defer cancel()
	if _, rollback := c.one.ExecContext(after, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"); rollback != nil {
		if err == nil {
			err = rollback
		}
		return &lostError{err}
	}
	return err
}

// mssqlTable finds a table, and whether any of its columns may be read: rights may be of
// some of them only.
const mssqlTable = `
SELECT s.name, o.name, o.object_id, CASE WHEN HAS_PERMS_BY_NAME(n.full_name, 'OBJECT', 'SELECT') = 1 OR EXISTS (
	SELECT 1 FROM sys.columns c WHERE c.object_id = o.object_id AND HAS_PERMS_BY_NAME(n.full_name, 'OBJECT', 'SELECT', c.name, 'COLUMN') = 1
) THEN 1 ELSE 0 END, RTRIM(o.type)
FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
CROSS APPLY (SELECT QUOTENAME(s.name) + '.' + QUOTENAME(o.name) AS full_name) n WHERE o.type IN ('U', 'V') AND o.object_id = OBJECT_ID(@p1)`

const mssqlColumns = `
SELECT c.name, TYPE_NAME(c.system_type_id), c.max_length, c.precision, c.scale, c.is_nullable, c.is_identity
FROM sys.columns c WHERE c.object_id = @p1 ORDER BY c.column_id`

// mssqlIndexes are columns of indexes (clustered ones are of type 1, others of 2) that
// hold all rows.
const mssqlIndexes = `
SELECT CAST(i.index_id AS bigint), c.name, i.is_primary_key FROM sys.indexes i
JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.object_id = @p1 AND k.key_ordinal > 0 AND i.type IN (1, 2) AND i.is_disabled = 0 AND i.has_filter = 0
ORDER BY i.index_id, k.key_ordinal`

const mssqlNear = `
SELECT TOP 1000 s.name, o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type IN ('U', 'V')`

func (c *mssqlConn) describe(ctx context.Context, name tableName) (table, error) {
	found, err := c.ask(ctx, mssqlTable, mssqlName(name))
	if err != nil {
		return table{}, err
	}
	if len(found) == 0 {
		return table{}, c.absent(ctx, name)
	}
	t, id := table{schema: found[0][0].(string), name: found[0][1].(string)}, found[0][2]
	if found[0][3] != int64(1) {
		return table{}, &closedError{table: name, user: c.user}
	}
	columns, err := c.ask(ctx, mssqlColumns, id)
	if err != nil {
		return table{}, err
	}
	for _, v := range columns {
		typ, _ := v[1].(string)
		size, _ := v[2].(int64)
		precision, _ := v[3].(int64)
		scale, _ := v[4].(int64)
		col := column{name: v[0].(string), typ: mssqlType(typ, size, precision, scale), class: mssqlClass(typ), notNull: v[5] == false}
		t.columns = append(t.columns, col)
		if v[6] == true && col.class == classInteger {
			t.serial = col.name
		}
	}
	if found[0][4] == "U" {
		t.indexes = [][]string{}
	}
	found, err = c.ask(ctx, mssqlIndexes, id)
	for i, v := range found {
		name := v[1].(string)
		t.indexColumn(i == 0 || found[i-1][0] != v[0], name)
		if v[2] == true {
			t.key = append(t.key, name)
		}
	}
	return t, err
}

// mssqlName is a name as OBJECT_ID reads it.
func mssqlName(name tableName) string {
	quote := mssqlDialect{}.quote
	if name.schema == "" {
		return quote(name.name)
	}
	return quote(name.schema) + "." + quote(name.name)
}

func (c *mssqlConn) absent(ctx context.Context, name tableName) error {
	others, err := c.ask(ctx, mssqlNear)
	if err != nil {
		return err
	}
	var known []string
	for _, v := range others {
		known = append(known, v[0].(string)+"."+v[1].(string), v[1].(string))
	}
	slices.Sort(known)
	return &absentError{table: name, near: graph.Suggest(name.String(), known)}
}

func (c *mssqlConn) ask(ctx context.Context, query string, args ...any) (rows [][]any, err error) {
	err = c.read(ctx, query, args, catalogueLimit, func(values []any) error {
		rows = append(rows, values)
		return nil
	})
	return rows, err
}

// mssqlType is a type as it is declared. Sizes are in bytes in the catalogue, and -1 for
// the largest.
func mssqlType(typ string, size, precision, scale int64) string {
	switch typ {
	case "nvarchar", "nchar":
		if size > 0 {
			size /= 2
		}
		fallthrough
	case "varchar", "char", "varbinary", "binary":
		if size < 0 {
			return typ + "(max)"
		}
		return fmt.Sprintf("%s(%d)", typ, size)
	case "decimal", "numeric":
		return fmt.Sprintf("%s(%d,%d)", typ, precision, scale)
	case "datetime2", "datetimeoffset", "time":
		return fmt.Sprintf("%s(%d)", typ, scale)
	}
	return typ
}

// mssqlClass is the class of a column by the name of its type.
func mssqlClass(typ string) class {
	switch strings.ToLower(typ) {
	case "tinyint", "smallint", "int", "bigint":
		return classInteger
	case "real", "float":
		return classFloat
	case "decimal", "numeric", "money", "smallmoney":
		return classDecimal
	case "char", "varchar", "nchar", "nvarchar", "text", "ntext", "sysname":
		return classText
	case "bit":
		return classBool
	case "datetimeoffset":
		return classInstant
	case "datetime", "datetime2", "smalldatetime":
		return classWall
	case "date":
		return classDate
	case "binary", "varbinary", "image", "timestamp", "rowversion":
		return classBytes
	case "uniqueidentifier":
		return classUUID
	}
	return classOther
}
