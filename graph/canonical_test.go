package graph

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCanonical_numbers is the table of RFC 8785, appendix B.
func TestCanonical_numbers(t *testing.T) {
	for _, c := range []struct{ bits, want string }{
		{"0000000000000000", "0"},
		{"8000000000000000", "0"},
		{"0000000000000001", "5e-324"},
		{"8000000000000001", "-5e-324"},
		{"7fefffffffffffff", "1.7976931348623157e+308"},
		{"ffefffffffffffff", "-1.7976931348623157e+308"},
		{"4340000000000000", "9007199254740992"},
		{"c340000000000000", "-9007199254740992"},
		{"4430000000000000", "295147905179352830000"},
		{"7fffffffffffffff", ""}, // NaN
		{"7ff0000000000000", ""}, // infinity
		{"44b52d02c7e14af5", "9.999999999999997e+22"},
		{"44b52d02c7e14af6", "1e+23"},
		{"44b52d02c7e14af7", "1.0000000000000001e+23"},
		{"444b1ae4d6e2ef4e", "999999999999999700000"},
		{"444b1ae4d6e2ef4f", "999999999999999900000"},
		{"444b1ae4d6e2ef50", "1e+21"},
		{"3eb0c6f7a0b5ed8c", "9.999999999999997e-7"},
		{"3eb0c6f7a0b5ed8d", "0.000001"},
		{"41b3de4355555553", "333333333.3333332"},
		{"41b3de4355555554", "333333333.33333325"},
		{"41b3de4355555555", "333333333.3333333"},
		{"41b3de4355555556", "333333333.3333334"},
		{"41b3de4355555557", "333333333.33333343"},
		{"becbf647612f3696", "-0.0000033333333333333333"},
		{"43143ff3c1cb0959", "1424953923781206.2"},
	} {
		bits, err := strconv.ParseUint(c.bits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Canonical(math.Float64frombits(bits))
		if string(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: got %s, %v; want %s", c.bits, got, err, c.want)
		}
	}
}

// The examples of RFC 8785, §3.2.2 and §3.2.3.
func TestCanonical_documents(t *testing.T) {
	for name, c := range map[string]struct{ doc, want string }{
		"values": {
			`{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		},
		"order": {
			`{"\u20ac":5,"\r":1,"\ufb33":7,"1":2,"\ud83d\ude00":6,"\u0080":3,"\u00f6":4}`,
			"{\"\\r\":1,\"1\":2,\"\u0080\":3,\"ö\":4,\"€\":5,\"😀\":6,\"\ufb33\":7}",
		},
		"exponents":                      {`[1e100, 1e-100, 1e10, 1.5e-7, -1e+22]`, `[1e+100,1e-100,10000000000,1.5e-7,-1e+22]`},
		"control characters":             {`"\u0000\u0008\u0009\u000a\u000c\u000d\u001f\u007f"`, `"\u0000\b\t\n\f\r\u001f` + "\x7f" + `"`},
		"large integers keep all digits": {`[9223372036854775807, -9223372036854775808]`, `[9223372036854775807,-9223372036854775808]`},
		"empty":                          {` [ {} , [ ] , "" ] `, `[{},[],""]`},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			v, err := DecodeValue([]byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Canonical(v)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestCanonical_refuses_what_JSON_lacks(t *testing.T) {
	deep := any(nil)
	for range maxDepth + 2 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{
		"invalid_UTF-8": "\xff", "invalid_key": map[string]any{"\xff": 1}, "type": struct{}{}, "nested_type": []any{uint8(1)}, "depth": deep,
	} {
		if got, err := Canonical(v); err == nil {
			t.Errorf("%s: %.40s, an error is expected", name, got)
		}
	}
}

func TestDecodeValue_refuses(t *testing.T) {
	for doc, want := range map[string]string{
		``:                         "line 1, column 1: the text ends too early",
		`{`:                        "line 1, column 2: the text ends too early",
		`"abc`:                     "line 1, column 5: the text ends too early",
		`[1,]`:                     "line 1, column 4: a JSON value is expected",
		`[1 2]`:                    "line 1, column 4: a comma or ] is expected",
		`{"a" 1}`:                  "line 1, column 6: a colon is expected after a key",
		`{a: 1}`:                   "line 1, column 2: a key in double quotes is expected",
		"{\"a\": 1,\n \"a\": 2}":   `line 2, column 2: the key "a" is there twice`,
		`1 2`:                      "line 1, column 3: there is more text after the value",
		`01`:                       "line 1, column 3: this is not a JSON number",
		`1.`:                       "line 1, column 3: this is not a JSON number",
		`1e`:                       "line 1, column 3: this is not a JSON number",
		`-`:                        "line 1, column 2: this is not a JSON number",
		`+1`:                       "line 1, column 1: a JSON value is expected",
		`NaN`:                      "line 1, column 1: a JSON value is expected",
		`tru`:                      "line 1, column 1: a JSON value is expected",
		`trux`:                     "line 1, column 1: a JSON value is expected",
		`[nul ]`:                   "line 1, column 2: a JSON value is expected",
		`truex`:                    "line 1, column 5: there is more text after the value",
		`"\ud83d......"`:           "line 1, column 2: half of a surrogate pair is not a character",
		`"\ud83d.ude00"`:           "line 1, column 2: half of a surrogate pair is not a character",
		`"\ud83d\xde00"`:           "line 1, column 2: half of a surrogate pair is not a character",
		`"\ude00\ud83d"`:           "line 1, column 2: half of a surrogate pair is not a character",
		`"\u12`:                    `line 1, column 2: \u needs four hexadecimal digits`,
		`"\u123`:                   `line 1, column 2: \u needs four hexadecimal digits`,
		`"\`:                       "line 1, column 2: the text ends too early",
		`"a\n`:                     "line 1, column 5: the text ends too early",
		`1e999`:                    `line 1, column 1: the number "1e999" is too large`,
		`18446744073709551617`:     "line 1, column 1: the integer 18446744073709551617 can't be kept exactly; write it as text",
		`"\ud800"`:                 "line 1, column 2: half of a surrogate pair is not a character",
		`"\ud800\u0041"`:           "line 1, column 2: half of a surrogate pair is not a character",
		`"\u12"`:                   `line 1, column 2: \u needs four hexadecimal digits`,
		`"\x"`:                     `line 1, column 2: \x is not an escape of JSON`,
		"\"\xff\"":                 "line 1, column 2: this text is not valid UTF-8",
		"\"\\n\xff\"":              "line 1, column 2: this text is not valid UTF-8",
		"\"a\nb\"":                 "line 1, column 3: a control character in text has to be escaped",
		"\"\\t\n\"":                "line 1, column 4: a control character in text has to be escaped",
		strings.Repeat("[", 1_000): "line 1, column 201: nested deeper than 200 levels",
	} {
		_, err := DecodeValue([]byte(doc))
		if err == nil || err.Error() != want {
			t.Errorf("%.40q: %v\nwant %s", doc, err, want)
		}
	}
}

func TestDecodeValue_counts_the_depth_of_nesting_and_not_the_length(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	wide := "[" + strings.Repeat(`[{}],`, 2*maxDepth) + "[]]"
	for _, doc := range []string{deep, wide} {
		if _, err := DecodeValue([]byte(doc)); err != nil {
			t.Errorf("%.20s: %v", doc, err)
		}
	}
}

func TestDecodeValue_keeps_integers(t *testing.T) {
	for doc, want := range map[string]any{
		`0`: int64(0), `-1`: int64(-1), `9223372036854775807`: int64(math.MaxInt64), `1.0`: 1.0, `1e3`: 1e3,
		`100000000000000000000`: 1e20, `0.1`: 0.1, `"\ud83d\ude00"`: "😀", ` null `: nil, `true`: true,
	} {
		got, err := DecodeValue([]byte(doc))
		if err != nil || got != want {
			t.Errorf("%s: %T %v, %v; want %T %v", doc, got, got, err, want, want)
		}
	}
}

// jsonValues draws values as DecodeValue returns them.
func jsonValues() *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Int64(), func(i int64) any { return i }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
	)
	value := scalar
	for range 3 {
		inner := value
		value = rapid.OneOf(
			scalar,
			rapid.Map(rapid.SliceOfN(inner, 0, 4), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(rapid.String(), inner, 0, 4), func(m map[string]any) any { return m }),
		)
	}
	return value
}

func TestCanonical_of_equal_values_is_equal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := jsonValues().Draw(t, "value")
		first, err := Canonical(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeValue(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := Canonical(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s became %s, %v", first, second, err)
		}
	})
}

func FuzzDecodeValue(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,-0,1e30,null,true],"b":{"c":"\ud83d\ude00\n"}}`, `[]`, `""`, `-0.0`, `1E400`, "\"\xff\"",
		`9007199254740993`, `100000000000000000000`, `{"a":1,"a":2}`, `"\udc00"`, `[[[[]]]]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := DecodeValue(raw)
		if err != nil {
			return
		}
		first, err := Canonical(v)
		if err != nil {
			t.Fatalf("%q has no canonical form: %v", raw, err)
		}
		again, err := DecodeValue(first)
		if err != nil {
			t.Fatalf("the canonical form %s is not read: %v", first, err)
		}
		second, err := Canonical(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s became %s, %v", first, second, err)
		}
	})
}
