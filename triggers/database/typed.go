package database

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	instantLayout = "2006-01-02T15:04:05.000000Z"
	wallLayout    = "2006-01-02T15:04:05.000000"
	// largestValue is how much of one value is handed over, in bytes.
	largestValue = 256 << 10
)

func valid(s string) bool { return utf8.ValidString(s) }

// plain is a value of conn.read as `event.row` has it. Instants are UTC; exact numbers
// and those that JSON does not have are text; bytes that are not text are {"base64": …};
// what is too large to be handed over is {"size": bytes}.
func plain(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return v
	case string:
		return words(v)
	case []byte:
		return words(string(v))
	case decimal:
		return string(v)
	case time.Time:
		return v.UTC().Format(instantLayout)
	case wall:
		return v.Format(wallLayout)
	case document:
		if len(v) <= largestValue && json.Valid([]byte(v)) {
			return json.RawMessage(v)
		}
		return words(string(v))
	}
	return v // nil, int64, bool
}

func words(s string) any {
	switch {
	case len(s) > largestValue:
		return map[string]int{"size": len(s)}
	case !valid(s):
		return map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(s))}
	}
	return s
}
