package graph

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocuments_are_read_from_YAML_and_JSON(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		want []any
	}{
		"nothing":         {"", []any{}},
		"only_a_comment":  {"# nothing\n", []any{}},
		"one":             {"a: 1\n", []any{map[string]any{"a": int64(1)}}},
		"several":         {"---\na: 1\n---\n- b\n...\n---\n", []any{map[string]any{"a": int64(1)}, []any{"b"}}},
		"json":            {`{"a": [1.5, null, true]}`, []any{map[string]any{"a": []any{1.5, nil, true}}}},
		"flow_in_YAML":    {"{a: 2026-01-01}", []any{map[string]any{"a": "2026-01-01"}}},
		"byte_order_mark": {"\ufeffa: x\n", []any{map[string]any{"a": "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			vs, err := DecodeDocuments([]byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			got := []any{}
			for _, v := range vs {
				got = append(got, v.Plain())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDocuments_say_where_they_are_wrong(t *testing.T) {
	for src, want := range map[string]string{
		"a: 1\n---\nb: 2\nb: 3\n":   "line 4, column 1: b: the key",
		"a: 1\n---\nb: [\n":         "not valid YAML",
		"a: 1\n---\nb: 017\n":       "line 3, column 4: b: 017 could be read as octal",
		"a: .inf\n":                 "line 1, column 4: a: .inf is not a number that JSON has",
		`{"a": 1, "a": 2}`:          "line 1, column 10: a: the key",
		"a: &x [1]\nb: !!binary aa": "line 2, column 4: b: the YAML tag !!binary is not supported",
	} {
		_, err := DecodeDocuments([]byte(src))
		var no *Invalid
		if !errors.As(err, &no) || !strings.HasPrefix(no.Problems[0].String(), want) && !strings.Contains(no.Problems[0].String(), want) {
			t.Errorf("%q: %v, want %s", src, err, want)
		}
	}
}

const twoDocuments = `triggers:
  - name: a
    inputs:
      file: x
    labels: {"a/b": "1", c.d: "2"}
  - name: b
    event_names: [ready,
      closed]
---
name: c
batch: {size: 1}
`

func TestDocuments_know_where_a_path_leads(t *testing.T) {
	vs, err := DecodeDocuments([]byte(twoDocuments))
	if err != nil {
		t.Fatal(err)
	}
	list, ok := vs[0].Get("triggers")
	items, isList := list.Items()
	if !ok || !isList || len(items) != 2 || vs[1].Kind() != "a mapping" {
		t.Fatalf("%v %v %d", ok, isList, len(items))
	}
	if diff := cmp.Diff([]string{"name", "inputs", "labels"}, items[0].Keys()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		v    Value
		path string
		want string
	}{
		{items[0], "", "2:5"},
		{items[0], "name", "2:5"},
		{items[0], "inputs.file", "4:7"},
		{items[0], "inputs.nothing", "3:5"},
		{items[0], "nothing", "2:5"},
		{items[0], `labels["a/b"]`, "5:14"},
		{items[0], "labels.a/b", "5:14"},
		{items[0], "labels.c.d", "5:26"},
		{items[1], "event_names[1]", "8:7"},
		{items[1], "event_names[7]", "7:5"},
		{vs[1], "batch.size", "11:9"},
		{vs[1], "batches", "10:1"},
	} {
		line, column := c.v.Position(c.path)
		if got := fmt.Sprintf("%d:%d", line, column); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	raw := `{"triggers": [{"name": "a",` + "\n" + `  "batch": {"size": 1}}]}`
	if vs, err = DecodeDocuments([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	if line, column := vs[0].Position("triggers[0].batch.size"); line != 2 || column != 13 {
		t.Errorf("%d:%d", line, column)
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add(twoDocuments, "triggers[0].inputs")
	f.Add(`{"a": [1]}`, "a[0]")
	f.Add("a: &a\n  <<: *a\n---\n", "a")
	f.Fuzz(func(t *testing.T, src, path string) {
		vs, err := DecodeDocuments([]byte(src))
		if err != nil {
			return
		}
		for _, v := range vs {
			if line, column := v.Position(path); line < 1 || column < 1 {
				t.Errorf("%q in %q is at %d:%d", path, src, line, column)
			}
			if _, err := Canonical(v.Plain()); err != nil {
				t.Errorf("%q can't be sent: %v", src, err)
			}
		}
	})
}
