package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// readGrid reads the words of -i: lists are the values of a grid, in the order in which
// they are written, all else is of all.
func readGrid(words []string, l *graph.Lattice, s *client.NewSweep) error {
	fixed, grid := map[string]any{}, orderedObject{}
	for _, word := range words {
		name, v, err := readInput(word, l.Inputs)
		if key, text, _ := strings.Cut(word, "="); err != nil && !asJSON(word) && strings.HasPrefix(text, "[") {
			return usagef("%v; a list of values is written -i %s:=%s", err, key, text)
		}
		if err != nil {
			return err
		}
		if _, twice := fixed[name]; twice || grid.has(name) {
			return usagef("-i %s: the input is given twice", name)
		}
		in, err := find(name, l.Inputs)
		if err != nil {
			return err
		}
		values, swept, err := sweptBy(l, in, word, v)
		switch {
		case err != nil:
			return err
		case swept:
			grid.add(name, values)
		default:
			fixed[name] = v
		}
	}
	var err error
	if len(fixed) > 0 {
		if s.Inputs, err = json.Marshal(fixed); err != nil {
			return err
		}
	}
	if len(grid.names) > 0 {
		s.Grid, err = grid.json()
	}
	return err
}

// sweptBy tells whether a value is the values of a grid: a list is, unless the input
// takes one itself; then a list of lists is, if that isn't what the input takes.
func sweptBy(l *graph.Lattice, in graph.Input, word string, v any) (values []any, swept bool, err error) {
	values, list := v.([]any)
	if !list || !asJSON(word) {
		return nil, false, nil
	}
	if len(values) == 0 {
		if takes(l, in.Name, v) {
			return nil, false, nil
		}
		return nil, false, usagef("-i %s: the list of its values is empty", in.Name)
	}
	each := true
	for i, value := range values {
		if text, ok := value.(string); ok && isPath(in) {
			if values[i], err = asText(in, text); err != nil {
				return nil, false, err
			}
		}
		each = each && takes(l, in.Name, values[i])
	}
	switch whole := takes(l, in.Name, v); {
	case each:
		return values, true, nil
	case whole:
		return nil, false, nil
	case in.Type == string(graph.Array):
		return nil, false, usagef("-i %s: the input takes a list itself: give a list of lists to sweep it, or one list for all", in.Name)
	}
	return values, true, nil // the daemon says which of them doesn't fit
}

// asJSON tells -i key:=JSON from the other forms.
func asJSON(word string) bool {
	key, _, _ := strings.Cut(word, "=")
	return strings.HasSuffix(key, ":")
}

// takes tells whether an input takes a value.
func takes(l *graph.Lattice, input string, v any) bool {
	_, err := l.Bind(map[string]any{input: v})
	var invalid *graph.Invalid
	if !errors.As(err, &invalid) {
		return err == nil
	}
	for _, p := range invalid.Problems {
		if p.Code != graph.CodeMissingInput {
			return false
		}
	}
	return true
}

// orderedObject is a JSON object that keeps the order of its keys.
type orderedObject struct {
	names  []string
	values map[string]any
}

func (o *orderedObject) has(name string) bool {
	_, there := o.values[name]
	return there
}

func (o *orderedObject) add(name string, v any) {
	if o.values == nil {
		o.values = map[string]any{}
	}
	o.names = append(o.names, name)
	o.values[name] = v
}

func (o *orderedObject) json() ([]byte, error) {
	var b bytes.Buffer
	for i, name := range o.names {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[name])
		if err != nil {
			return nil, err
		}
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
