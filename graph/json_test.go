package graph

import (
	"errors"
	"strings"
	"testing"
)

// A document in JSON is read as strictly as one in YAML, and its mistakes have a place.
func TestJSONTree(t *testing.T) {
	tr, err := jsonTree([]byte(`{"a": null, "b": [true, 1, 1.5, "x", 1e3, {}]}`), true)
	if err != nil {
		t.Fatal(err)
	}
	if a := tr.get("a"); a == nil || a.kind != kindNull || a.value != nil {
		t.Errorf("null is %+v", a)
	}
	var kinds []treeKind
	for _, it := range tr.get("b").items {
		kinds = append(kinds, it.kind)
	}
	for i, want := range []treeKind{kindBool, kindNumber, kindNumber, kindText, kindNumber, kindMap} {
		if kinds[i] != want {
			t.Errorf("item %d is %s, want %s", i, kinds[i], want)
		}
	}
	for doc, want := range map[string]struct {
		path, code string
		offset     int
		message    string
	}{
		`{"a": {"b": 1, "b": 2}}`:         {"a.b", CodeDuplicateKey, 15, `the key "b" is there twice`},
		`{"a": [1, 9007199254740992]}`:    {"a[1]", CodeNumberRange, 10, "beyond ±(2^53−1)"},
		`{"a": -9007199254740992}`:        {"a", CodeNumberRange, 6, "beyond ±(2^53−1)"},
		`{"a": 1e400}`:                    {"a", CodeNumberRange, 6, "is too large"},
		`{"a": 1} x`:                      {"", CodeSyntax, 9, "there is more text after the value"},
		`{"a": 1}{`:                       {"", CodeSyntax, 8, "there is more text after the value"},
		`{"a": tru}`:                      {"", CodeSyntax, 6, "a JSON value is expected"},
		`{"a": 1`:                         {"", CodeSyntax, 7, "the text ends too early"},
		strings.Repeat(`[`, maxDepth+1):   {"", CodeSyntax, maxDepth, "nested deeper"},
		"{\"a\": 1,\n\"b\": 01}":          {"", CodeSyntax, 16, "this is not a JSON number"},
		`{"a": {"b c": 1, "b\u0020c": 2}`: {`a["b c"]`, CodeDuplicateKey, 17, `the key "b c" is there twice`},
	} {
		_, err := jsonTree([]byte(doc), true)
		var p *problemError
		if !errors.As(err, &p) || p.path != want.path || p.code != want.code || p.pos.offset != want.offset || !strings.Contains(err.Error(), want.message) {
			t.Errorf("%.40s: %v %+v", doc, err, p)
		}
	}
	// What was stored once is read again, also what a person could not have written.
	for doc, ok := range map[string]bool{"9007199254740992": true, "100000000000000000000": true, "9007199254740993": true, "9007199254740991": true} {
		if _, err := jsonTree([]byte(doc), false); (err == nil) != ok {
			t.Errorf("%s: %v", doc, err)
		}
	}
	for doc, ok := range map[string]bool{"9007199254740991": true, "9007199254740992.0": true, "1e20": true, "100000000000000000000": false} {
		if _, err := jsonTree([]byte(doc), true); (err == nil) != ok {
			t.Errorf("%s: %v", doc, err)
		}
	}
}
