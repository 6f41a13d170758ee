package database

import (
	"strconv"
	"strings"
	"time"
)

const (
	mysqlMoment = "2006-01-02 15:04:05.999999"
	mysqlDate   = "2006-01-02"
)

// mysqlValue makes ours of the driver's value. Dates that are none, as 0000-00-00, stay
// text; BIT is a number, as its first bit is the highest.
func mysqlValue(typ string, v any) any {
	typ = strings.TrimPrefix(typ, "UNSIGNED ")
	switch v := v.(type) {
	case uint64:
		return unsigned(v)
	case float32: // the shortest number that is the same of its type
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
		return f
	case string:
		return mysqlText(typ, v)
	case []byte:
		return mysqlText(typ, string(v))
	}
	return v // int64, float64
}

// unsigned is an integer, as a decimal when it is beyond int64.
func unsigned(n uint64) any {
	if n > 1<<63-1 {
		return decimal(strconv.FormatUint(n, 10))
	}
	return int64(n)
}

func mysqlText(typ, text string) any {
	switch typ {
	case "BIGINT", "INT", "MEDIUMINT", "SMALLINT", "TINYINT", "YEAR":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		return decimal(text)
	case "DECIMAL":
		return decimal(text)
	case "TIMESTAMP":
		if at, err := time.Parse(mysqlMoment, text); err == nil {
			return at
		}
	case "DATETIME":
		if at, err := time.Parse(mysqlMoment, text); err == nil {
			return wall{at}
		}
	case "BIT":
		var n uint64
		for i := range len(text) {
			n = n<<8 | uint64(text[i])
		}
		return unsigned(n)
	case "JSON":
		return document(text)
	case "BINARY", "VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY", "VECTOR":
		return []byte(text)
	}
	return text
}

// mysqlArgs are arguments as the driver takes them. Instants are UTC, as the session is.
func mysqlArgs(args []any) []any {
	return textual(args, mysqlMoment, mysqlMoment)
}
