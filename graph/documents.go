package graph

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is a JSON value that knows where in a text its parts stand.
type Value struct {
	src []byte
	t   *tree
}

// DecodeDocuments reads a text of YAML documents, separated by ---, or of one JSON
// value. It is as strict as Decode; the error is *Invalid. Empty documents are left
// out.
func DecodeDocuments(src []byte) ([]Value, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if len(src) > maxDocument {
		return nil, &Invalid{Problems: []Problem{{Code: CodeTooLarge, Message: fmt.Sprintf("the text is larger than %d MiB", maxDocument>>20)}}}
	}
	if looksLikeJSON(src) {
		t, err := jsonTree(src, true)
		if err == nil {
			return []Value{{src, t}}, nil
		}
		var p *problemError
		if errors.As(err, &p) && p.code != CodeSyntax {
			return nil, invalidAt(src, err)
		}
	}
	all, err := yamlTreesSafely(src)
	if err != nil {
		return nil, invalidAt(src, err)
	}
	vs := make([]Value, 0, len(all))
	for _, t := range all {
		if t.kind != kindNull {
			vs = append(vs, Value{src, t})
		}
	}
	return vs, nil
}

// yamlTreesSafely turns a panic of the library into a syntax error.
func yamlTreesSafely(src []byte) (all []*tree, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &problemError{pos: pos{line: 1, column: 1}, code: CodeSyntax, err: fmt.Errorf("not valid YAML: %v", r)}
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(src))
	c := yamlConverter{left: maxTreeNodes}
	for {
		var root yaml.Node
		if err := d.Decode(&root); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, yamlSyntax(src, err)
		}
		t, err := c.convert(root.Content[0], "", 0)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
}

// Plain returns the value without positions: nil, bool, int64, float64, string, []any
// or map[string]any.
func (v Value) Plain() any { return v.t.plain() }

// Kind names the type of the value for people.
func (v Value) Kind() string { return v.t.kind.String() }

// Keys returns the keys of an object in the order of the text, none of anything else.
func (v Value) Keys() []string {
	keys := make([]string, len(v.t.members))
	for i, m := range v.t.members {
		keys[i] = m.key
	}
	return keys
}

// Get returns the value of a key of an object.
func (v Value) Get(key string) (Value, bool) {
	t := v.t.get(key)
	return Value{v.src, t}, t != nil
}

// Items returns the items of a list; false when it is none.
func (v Value) Items() ([]Value, bool) {
	items := make([]Value, len(v.t.items))
	for i, t := range v.t.items {
		items[i] = Value{v.src, t}
	}
	return items, v.t.kind == kindList
}

// Position returns line and column, from 1, of what a path such as inputs.file or
// event_names[1] leads to: of its key, or of the nearest that is there.
func (v Value) Position(path string) (line, column int) {
	return v.t.nearest("", path, v.t.pos).in(v.src)
}

func (t *tree) nearest(at, path string, here pos) pos {
	for _, m := range t.members {
		for _, next := range []string{join(at, m.key), strings.TrimPrefix(at+"."+m.key, ".")} {
			if leadsTo(next, path) {
				return m.value.nearest(next, path, m.pos)
			}
		}
	}
	for i, it := range t.items {
		if next := item(at, i); leadsTo(next, path) {
			return it.nearest(next, path, it.pos)
		}
	}
	return here
}

// leadsTo tells whether path is at, or something within it.
func leadsTo(at, path string) bool {
	rest, ok := strings.CutPrefix(path, at)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
