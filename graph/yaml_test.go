package graph

import (
	"errors"
	"strings"
	"testing"
)

func TestYAML_scalars_are_what_they_say(t *testing.T) {
	for text, want := range map[string]any{
		"a": "a", "'5'": "5", "!!str 5": "5", "2026-01-01": "2026-01-01", "yes": "yes", "on": "on", "!!timestamp 5": "5", "1e400": "1e400",
		"": nil, "~": nil, "null": nil, "Null": nil, "!!null ''": nil,
		"true": true, "TRUE": true, "False": false, "!!bool 'true'": true,
		"0": int64(0), "-0": int64(0), "+5": int64(5), "1_000": int64(1000), "0x1F": int64(31), "0o17": int64(15), "-3": int64(-3), "9007199254740991": int64(1<<53 - 1),
		".5": 0.5, "-1.5e3": int64(-1500), "1e3": int64(1000), "!!float 3": int64(3),
	} {
		tr, err := yamlTree([]byte("x: " + text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		v := tr.members[0].value.value
		if v != want {
			t.Errorf("%s is %v (%T), want %v", text, v, v, want)
		}
	}
	for text, want := range map[string]string{
		"017": `017 could be read as octal; write 17, or "017" for text`, "00": `00 could be read as octal; write 0, or "00" for text`,
		"-017": `-017 could be read as octal; write -17, or "-017" for text`, "0_1": `0_1 could be read as octal; write 1, or "0_1" for text`,
		"!!bool yes": "yes is neither true nor false", "!!bool 1": "1 is neither true nor false", "!!null 5": "5 is not null",
		"!!int foo": "foo is not a whole number", "!!int 1.5": "1.5 is not a whole number", "!!float foo": "foo is not a number that JSON has",
		".inf": ".inf is not a number that JSON has", ".nan": ".nan is not a number that JSON has", "!!binary aGk=": "the YAML tag !!binary is not supported",
		"!own a": "the YAML tag !own is not supported", "9007199254740992": "beyond ±(2^53−1)", "-9007199254740992": "beyond ±(2^53−1)", "99999999999999999999": "beyond ±(2^53−1)",
	} {
		_, err := yamlTree([]byte("k: 1\nx: " + text))
		var p *problemError
		if !errors.As(err, &p) || !strings.Contains(err.Error(), want) || p.path != "x" || p.pos.line != 2 || p.pos.column != 4 {
			t.Errorf("%s: %v at %+v", text, err, p)
		}
	}
}

func TestYAML_mappings_and_aliases(t *testing.T) {
	for text, want := range map[string]string{
		"b: &b {x: 1, y: 2}\na: {<<: *b, y: 3}":                     `{"a":{"x":1,"y":3},"b":{"x":1,"y":2}}`,
		"b: &b {x: 1}\nc: &c {x: 2, z: 3}\na: {<<: [*b, *c], w: 0}": `{"a":{"w":0,"x":1,"z":3},"b":{"x":1},"c":{"x":2,"z":3}}`,
		"a: &a [1]\nb: [*a, *a]":                                    `{"a":[1],"b":[[1],[1]]}`,
		"&k key: 1\nx: {*k : 2}":                                    `{"key":1,"x":{"key":2}}`,
		"1: a\ntrue: b\n2.5: c":                                     `{"1":"a","2.5":"c","true":"b"}`,
	} {
		tr, err := yamlTree([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, err := Canonical(tr.plain()); err != nil || string(got) != want {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
	for text, want := range map[string]struct{ code, message string }{
		"a: 1\na: 2":           {CodeDuplicateKey, "the key \"a\" is there twice"},
		"1: a\n\"1\": b":       {CodeDuplicateKey, "the key \"1\" is there twice"},
		"? [a]\n: b":           {CodeWrongType, "a key has to be text"},
		"~: a":                 {CodeWrongType, "a key has to be text"},
		"a: {<<: 5}":           {CodeWrongType, "<< takes a mapping"},
		"a: {<<: [{x: 1}, 5]}": {CodeWrongType, "<< takes a mapping"},
		"a: 1\n---\nb: 2":      {CodeSyntax, "there is a second document"},
		"a: 1\n---\n{":         {CodeSyntax, "not valid YAML"},
		"":                     {CodeSyntax, "the document is empty"},
		"# nothing":            {CodeSyntax, "the document is empty"},
		"a: &a [*a]":           {CodeTooLarge, "nested deeper than 200 levels"},
		"a: &a {<<: *a}":       {CodeTooLarge, "nested deeper than 200 levels"},
	} {
		_, err := yamlTree([]byte(text))
		var p *problemError
		if !errors.As(err, &p) || p.code != want.code || !strings.Contains(err.Error(), want.message) {
			t.Errorf("%q: %v %+v", text, err, p)
		}
	}
}

// Expressions invite mistakes in YAML; the hint is given where there is one, and nowhere else.
func TestYAML_syntax_has_its_line_and_a_hint(t *testing.T) {
	for text, want := range map[string]struct {
		line int
		hint bool
	}{
		"a: 1\nb: [1\nc: 2":               {2, false},
		"a: 1\nb: [${{ x }}, 2]\nc: 2":    {2, true},
		"a: 1\nb: {c: ${{ x }}}\n":        {2, true},
		"b: {c: ${{ x }}}\n":              {1, true},
		"a:\n  b: 1\n c: 2\n":             {3, false},
		"a: 1\nb: &\n":                    {2, false},
		"a: b: c":                         {1, false},
		"a: ${{ x ? \"y\": z }}":          {1, true},
		"a: 1\n\tb: 2\n\n\n\nc: ${{ x }}": {2, false},
		"\x00":                            {1, false},
	} {
		_, err := yamlTree([]byte(text))
		var p *problemError
		if !errors.As(err, &p) || p.code != CodeSyntax || !strings.HasPrefix(err.Error(), "not valid YAML: ") || strings.Contains(err.Error(), "in quotes") != want.hint || p.pos.line != want.line {
			t.Errorf("%q: %v at line %d", text, err, p.pos.line)
		}
	}
}
