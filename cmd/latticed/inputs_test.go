package main

import (
	"path/filepath"
	"testing"

	"github.com/latticed/latticed/graph"
)

func TestInputs_are_read_by_their_schema(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "scan.tif", "x")
	write(t, "text.txt", "two\nlines\n")
	write(t, "name.txt", "scan.tif\n")
	write(t, "list.json", "[1, 2]")
	declared := []graph.Input{
		{Name: "s", Type: "string"},
		{Name: "n", Type: "integer"},
		{Name: "x", Type: "number"},
		{Name: "b", Type: "boolean"},
		{Name: "a", Type: "array"},
		{Name: "o", Type: "object"},
		{Name: "p", Type: "string", Format: "path"},
		{Name: "d", Type: "string", Format: "directory"},
		{Name: "u", Format: "path"},
		{Name: "any"},
	}
	for word, want := range map[string]string{
		"s=12":               `{"s":"12"}`,
		"s=":                 `{"s":""}`,
		"s=a=b":              `{"s":"a=b"}`,
		`s:="@x"`:            `{"s":"@x"}`,
		"s=@text.txt":        `{"s":"two\nlines\n"}`,
		"n=12":               `{"n":12}`,
		"n=9007199254740993": `{"n":9007199254740993}`,
		"x=1":                `{"x":1}`,
		"x=1e3":              `{"x":1000}`,
		"b=true":             `{"b":true}`,
		"a=[1,\"x\"]":        `{"a":[1,"x"]}`,
		"a=@list.json":       `{"a":[1,2]}`,
		`o={"k":null}`:       `{"o":{"k":null}}`,
		"p=scan.tif":         `{"p":"` + filepath.Join(dir, "scan.tif") + `"}`,
		"p=@name.txt":        `{"p":"` + filepath.Join(dir, "scan.tif") + `"}`,
		"u=scan.tif":         `{"u":"` + filepath.Join(dir, "scan.tif") + `"}`,
		`u:="scan.tif"`:      `{"u":"` + filepath.Join(dir, "scan.tif") + `"}`,
		"d=.":                `{"d":"` + dir + `"}`,
		"any=7":              `{"any":7}`,
		"any=seven":          `{"any":"seven"}`,
		"n:=null":            `{"n":null}`,
	} {
		got, err := readInputs([]string{word}, declared)
		if err != nil || string(got) != want {
			t.Errorf("%s: %s %v, want %s", word, got, err, want)
		}
	}
	if got, err := readInputs(nil, declared); got != nil || err != nil {
		t.Errorf("none: %s %v", got, err)
	}
}

func TestExpression_gets_its_braces(t *testing.T) {
	for bare, want := range map[string]string{
		"event.path":            "${{ event.path }}",
		"${{ event.path }}":     "${{ event.path }}",
		"raw-${{ event.name }}": "raw-${{ event.name }}",
	} {
		if got := expression(bare); got != want {
			t.Errorf("%s", got)
		}
	}
}
