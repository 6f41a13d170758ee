package database

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAtom_survives_JSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "at")).UTC()
		v := rapid.SampledFrom([]any{
			nil, rapid.Int64().Draw(t, "int"), rapid.Float64().Draw(t, "float"), rapid.Bool().Draw(t, "bool"), rapid.String().Draw(t, "text"),
			string(rapid.SliceOf(rapid.Byte()).Draw(t, "raw")), rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "blob"),
			at,
			wall{at},
			decimal("12345678901234567890.5"), document(`{"a": 1}`), math.Inf(1), "", "{", `{"i":"1"}`,
		}).Draw(t, "value")
		raw, err := json.Marshal(atom{v})
		if err != nil {
			t.Fatal(err)
		}
		var again atom
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(v, again.v); diff != "" {
			t.Fatalf("%s: %s", raw, diff)
		}
		if marked(position{Order: []atom{{v}}}).mark != marked(position{Order: []atom{again}}).mark {
			t.Fatalf("%s has another mark", raw)
		}
	})
}

func TestEventKey_is_short_and_tells_rows_apart(t *testing.T) {
	key := func(unique bool, order, id any) string {
		k, err := eventKey(position{Order: []atom{{order}}, Key: []atom{{id}}}, unique)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for want, got := range map[string]string{
		"7":                               key(true, int64(7), int64(7)),
		`"a,b",7`:                         key(false, "a,b", int64(7)),
		`"2026-03-01T12:00:00.000000Z",7`: key(false, time.Unix(1772366400, 0), int64(7)),
		`1.50,"x"`:                        key(false, decimal("1.50"), "x"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	long := string(make([]byte, 1000))
	if a, b := key(false, long, int64(1)), key(false, long, int64(2)); a == b || len(a) > longestKey {
		t.Errorf("long keys: %s and %s", a, b)
	}
}
