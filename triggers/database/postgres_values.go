package database

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// postgresClasses are the types that have values of their own; all others are text.
var postgresClasses = map[uint32]class{
	pgtype.Int2OID: classInteger, pgtype.Int4OID: classInteger, pgtype.Int8OID: classInteger, pgtype.OIDOID: classInteger,
	pgtype.Float4OID: classFloat, pgtype.Float8OID: classFloat, pgtype.NumericOID: classDecimal,
	pgtype.TextOID: classText, pgtype.VarcharOID: classText, pgtype.BPCharOID: classText, pgtype.NameOID: classText, pgtype.QCharOID: classText,
	pgtype.BoolOID: classBool, pgtype.TimestamptzOID: classInstant, pgtype.TimestampOID: classWall, pgtype.DateOID: classDate,
	pgtype.ByteaOID: classBytes, pgtype.JSONOID: classJSON, pgtype.JSONBOID: classJSON, pgtype.UUIDOID: classUUID,
}

const (
	postgresInstant = "2006-01-02 15:04:05.999999Z07"
	postgresWall    = "2006-01-02 15:04:05.999999"
)

// postgresValue reads the text of a value. What has no value of its class (infinity,
// a year before Christ) stays text, which the server understands again.
func postgresValue(oid uint32, text string) any {
	switch postgresClasses[oid] {
	case classInteger:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case classFloat:
		return postgresFloat(text)
	case classDecimal:
		return decimal(text)
	case classBool:
		return text == "t"
	case classInstant:
		if at, err := time.Parse(postgresInstant, text); err == nil {
			return at.UTC()
		}
	case classWall:
		if at, err := time.Parse(postgresWall, text); err == nil {
			return wall{at}
		}
	case classBytes:
		if b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`)); err == nil {
			return b
		}
	case classJSON:
		return document(text)
	}
	if element, ok := arrayElement(oid); ok {
		if doc, ok := arrayDocument(element, text); ok {
			return doc
		}
	}
	return text
}

func postgresFloat(text string) any {
	switch text {
	case "Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	f, err := strconv.ParseFloat(text, 64) // NaN, too
	if err != nil {
		return text
	}
	return f
}

// postgresText is an argument as the server reads it, for a parameter of any type.
func postgresText(arg any) ([]byte, error) {
	switch v := arg.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case int64:
		return strconv.AppendInt(nil, v, 10), nil
	case float64:
		return []byte(strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+")), nil
	case bool:
		return strconv.AppendBool(nil, v), nil
	case []byte:
		return []byte(`\x` + hex.EncodeToString(v)), nil
	case time.Time:
		return []byte(v.UTC().Format(postgresInstant)), nil
	case wall:
		return []byte(v.Format(postgresWall)), nil
	case decimal:
		return []byte(v), nil
	case document:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("a %T can't be bound", arg)
}
