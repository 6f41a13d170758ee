package database

import (
	"time"

	"github.com/google/uuid"
	mssql "github.com/microsoft/go-mssqldb"
)

const (
	mssqlMoment = "2006-01-02T15:04:05.9999999"
	mssqlTime   = "15:04:05.9999999"
	mssqlZoned  = "2006-01-02T15:04:05.9999999Z07:00"
	isoDate     = "2006-01-02"
)

// mssqlValue makes ours of the driver's value.
func mssqlValue(typ string, v any) any {
	switch v := v.(type) {
	case time.Time:
		switch typ {
		case "DATETIMEOFFSET":
			return v.UTC()
		case "DATE":
			return v.Format(isoDate)
		case "TIME":
			return v.Format(mssqlTime)
		}
		return wall{time.Date(v.Year(), v.Month(), v.Day(), v.Hour(), v.Minute(), v.Second(), v.Nanosecond(), time.UTC)}
	case []byte:
		switch typ {
		case "DECIMAL", "MONEY", "SMALLMONEY":
			return decimal(v)
		case "UNIQUEIDENTIFIER":
			var id mssql.UniqueIdentifier
			if id.Scan(v) == nil {
				return uuid.UUID(id).String()
			}
		case "CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "TEXT", "NTEXT", "XML":
			return string(v)
		}
		return v
	}
	return v // int64, float64, bool, string
}

// mssqlArgs are arguments as the driver takes them; see parameter for their types.
func mssqlArgs(args []any) []any {
	return textual(args, mssqlZoned, mssqlMoment)
}
