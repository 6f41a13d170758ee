package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// readInputs reads the words of -i by what the lattice declares:
//
//	key=value   text, or a number … when the schema says so
//	key:=JSON   any value
//	key=@FILE   the content of a file
func readInputs(words []string, declared []graph.Input) (json.RawMessage, error) {
	if len(words) == 0 {
		return nil, nil
	}
	values := map[string]any{}
	for _, word := range words {
		key, v, err := readInput(word, declared)
		if err != nil {
			return nil, err
		}
		if _, twice := values[key]; twice {
			return nil, usagef("-i %s: the input is given twice", key)
		}
		values[key] = v
	}
	return json.Marshal(values)
}

func readInput(word string, declared []graph.Input) (key string, v any, err error) {
	key, value, ok := strings.Cut(word, "=")
	asJSON := strings.HasSuffix(key, ":")
	key = strings.TrimSuffix(key, ":")
	if !ok || key == "" {
		return "", nil, usagef("-i %s: write key=value, key:=JSON or key=@FILE", word)
	}
	in, err := find(key, declared)
	if err != nil {
		return "", nil, err
	}
	if asJSON {
		v, err = decode(value)
		if err != nil {
			return "", nil, usagef("-i %s: not JSON: %v", key, err)
		}
		if text, ok := v.(string); ok && (in.Type == "string" || isPath(in)) {
			v, err = asText(in, text) // a path is one however it is written
		}
		return key, v, err
	}
	if file, ok := strings.CutPrefix(value, "@"); ok {
		content, err := readNamed(file)
		if err != nil {
			return "", nil, usagef("-i %s: %v", key, err)
		}
		value = string(content)
		if isPath(in) {
			value = strings.TrimRight(value, "\n")
		}
	}
	v, err = byType(in, value)
	return key, v, err
}

func find(key string, declared []graph.Input) (graph.Input, error) {
	names := make([]string, len(declared))
	for i, in := range declared {
		if in.Name == key {
			return in, nil
		}
		names[i] = in.Name
	}
	switch s := graph.Suggest(key, names); {
	case s != "":
		return graph.Input{}, usagef("-i %s: the lattice has no such input; did you mean %s?", key, s)
	case len(names) == 0:
		return graph.Input{}, usagef("-i %s: the lattice takes no inputs", key)
	}
	return graph.Input{}, usagef("-i %s: the lattice has no such input; it has %s", key, strings.Join(names, ", "))
}

// byType reads text as a value of the input's type.
func byType(in graph.Input, text string) (any, error) {
	switch {
	case in.Type == "string", in.Type == "" && isPath(in):
		return asText(in, text)
	case in.Type == "":
		if v, err := decode(text); err == nil {
			return v, nil
		}
		return text, nil
	}
	v, err := decode(strings.TrimSpace(text))
	if err != nil || !isA(in.Type, v) {
		return nil, usagef("-i %s: must be %s, not %q", in.Name, article(in.Type), text)
	}
	return v, nil
}

func isPath(in graph.Input) bool { return in.Format == "path" || in.Format == "directory" }

func asText(in graph.Input, text string) (any, error) {
	if !isPath(in) {
		return text, nil
	}
	if text == "" {
		return nil, usagef("-i %s: the path is empty", in.Name)
	}
	abs, err := filepath.Abs(text)
	if err != nil {
		return nil, usagef("-i %s: %v", in.Name, err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, usagef("-i %s: there is no %s", in.Name, abs)
	case err != nil:
		return nil, usagef("-i %s: %v", in.Name, err)
	case in.Format == "directory" && !info.IsDir():
		return nil, usagef("-i %s: %s is not a directory", in.Name, abs)
	}
	return abs, nil
}

func decode(text string) (any, error) { return graph.DecodeValue([]byte(text)) }

func isA(kind string, v any) bool {
	switch v.(type) {
	case int64:
		return kind == "integer" || kind == "number"
	case float64:
		return kind == "number"
	case bool:
		return kind == "boolean"
	case []any:
		return kind == "array"
	case map[string]any:
		return kind == "object"
	case nil:
		return kind == "null"
	}
	return false
}

func article(kind string) string {
	switch kind {
	case "integer", "array", "object":
		return "an " + kind
	case "boolean":
		return "true or false"
	}
	return "a " + kind
}

// readPairs reads the words of --label.
func readPairs(flag string, words []string) (map[string]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	out := map[string]string{}
	for _, word := range words {
		k, v, ok := strings.Cut(word, "=")
		if !ok || k == "" {
			return nil, usagef("%s", fmt.Sprintf("--%s %s: write key=value", flag, word))
		}
		out[k] = v
	}
	return out, nil
}
