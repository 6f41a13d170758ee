package main

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latticed/latticed/graph"
)

// specFlags are the flags of trigger add and trigger set.
type specFlags struct {
	dispatch, lattice string
	mapping, inputs   []string
	labels, json      []string
}

func (s *specFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false // a kind's fields stand together
	f.StringVar(&s.dispatch, "dispatch", "", "redispatch this one (id or number)")
	f.StringVar(&s.lattice, "lattice", "", "run this lattice: NAME as it is now, or NAME@latest")
	f.StringArrayVarP(&s.mapping, "map", "m", nil, "an input from the event: key=EXPRESSION, without ${{ }} (repeatable)")
	f.StringArrayVarP(&s.inputs, "input", "i", nil, "a fixed input: key=value, key:=JSON or key=@FILE (repeatable)")
	f.StringArrayVar(&s.labels, "label", nil, "a label key=value of the dispatches; may hold ${{ }} (repeatable)")
	f.StringArrayVar(&s.json, "field", nil, "any other field: name=text or name:=JSON (repeatable)")
	for _, fd := range triggerFields() {
		switch fd.kind {
		case fieldList, fieldRaw:
			f.StringArray(fd.flag(), nil, fd.help)
		case fieldBool:
			f.Bool(fd.flag(), false, fd.help)
		default:
			f.Var(&word{kind: fd.kind}, fd.flag(), fd.help)
		}
	}
}

// word is a flag's value with the kind shown in --help.
type word struct{ value, kind string }

func (w *word) String() string     { return w.value }
func (w *word) Set(v string) error { w.value = v; return nil }
func (w *word) Type() string       { return w.kind }

// spec is the object that the flags describe: those that were given.
func (s *specFlags) spec(cmd *cobra.Command, inputs declared) (map[string]any, error) {
	spec := map[string]any{}
	for _, fd := range triggerFields() {
		f := cmd.Flags().Lookup(fd.flag())
		if !f.Changed {
			continue
		}
		v, err := fd.value(f)
		if err != nil {
			return nil, err
		}
		spec[fd.name] = v
	}
	if s.dispatch != "" {
		spec["dispatch_id"] = s.dispatch
	}
	if s.lattice != "" {
		spec["lattice"] = s.lattice
	}
	if s.dispatch != "" && s.lattice != "" {
		return nil, usagef("--dispatch and --lattice exclude each other")
	}
	return spec, s.maps(spec, inputs)
}

// declared finds the inputs of the lattice that a trigger runs.
type declared func() ([]graph.Input, error)

// maps adds the fields that are maps themselves, and those without a flag.
func (s *specFlags) maps(spec map[string]any, of declared) error {
	inputs := map[string]any{}
	for _, m := range s.mapping {
		k, v, ok := strings.Cut(m, "=")
		if !ok || k == "" || v == "" {
			return usagef("-m %s: write key=EXPRESSION", m)
		}
		inputs[k] = expression(v)
	}
	if err := s.fixed(inputs, of); err != nil {
		return err
	}
	if len(inputs) > 0 {
		spec["inputs"] = inputs
	}
	labels, err := readPairs("label", s.labels)
	if err != nil {
		return err
	}
	if len(labels) > 0 {
		spec["labels"] = labels
	}
	for _, word := range s.json {
		k, v, err := keyValue("--field", word)
		if err != nil {
			return err
		}
		spec[k] = v
	}
	return nil
}

// fixed adds the inputs of -i, read by their schema unless they hold an expression.
func (s *specFlags) fixed(inputs map[string]any, of declared) error {
	if len(s.inputs) == 0 {
		return nil
	}
	known, err := of()
	if err != nil {
		return err
	}
	for _, word := range s.inputs {
		var k string
		var v any
		if strings.Contains(word, "${{") {
			k, v, err = keyValue("-i", word)
		} else {
			k, v, err = readInput(word, known)
		}
		if err != nil {
			return err
		}
		if _, twice := inputs[k]; twice {
			return usagef("-i %s: the input is given twice", k)
		}
		inputs[k] = v
	}
	return nil
}

func keyValue(flag, word string) (string, any, error) {
	k, v, ok := strings.Cut(word, "=")
	asJSON := strings.HasSuffix(k, ":")
	if k = strings.TrimSuffix(k, ":"); !ok || k == "" {
		return "", nil, usagef("%s %s: write key=text or key:=JSON", flag, word)
	}
	if !asJSON {
		return k, v, nil
	}
	if _, err := decode(v); err != nil {
		return "", nil, usagef("%s %s: not JSON: %v", flag, k, err)
	}
	return k, json.RawMessage(v), nil
}

// expression puts the braces around a bare expression.
func expression(v string) string {
	if strings.Contains(v, "${{") {
		return v
	}
	return "${{ " + v + " }}"
}

func (fd field) value(f *pflag.Flag) (any, error) {
	v := f.Value.String()
	switch fd.kind {
	case fieldList:
		given, _ := f.Value.(pflag.SliceValue)
		list := []string{}
		for _, words := range given.GetSlice() {
			list = append(list, commas(words)...)
		}
		return list, nil
	case fieldRaw:
		given, _ := f.Value.(pflag.SliceValue)
		return given.GetSlice(), nil
	case fieldAny:
		return anything(v), nil
	case fieldBool:
		return v == "true", nil
	case fieldInt:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, usagef("--%s: must be a whole number, not %q", f.Name, v)
		}
		return n, nil
	case fieldExpr:
		return expression(v), nil
	case fieldPath:
		if v == "" { // a variable of a script that is not set must not mean the folder that it runs in
			return nil, usagef("--%s: the path is empty", f.Name)
		}
		if strings.Contains(v, "://") || strings.HasPrefix(v, "file:") {
			return v, nil // of a database
		}
		return filepath.Abs(v)
	case fieldTime:
		if _, err := strconv.ParseFloat(v, 64); err == nil {
			return json.Number(v), nil // seconds
		}
		if _, err := graph.ParseDuration(v); err != nil {
			return nil, usagef("--%s: %v", f.Name, err)
		}
	case fieldJSON:
		return object(f.Name, v)
	case fieldSize:
		if _, err := graph.ParseSize(v); err != nil {
			return nil, usagef("--%s: %v", f.Name, err)
		}
	}
	return v, nil
}

// anything is a number or a list when it reads like one in JSON, else text.
func anything(v string) any {
	switch decoded, err := decode(v); decoded.(type) {
	case json.Number, int64, float64, []any:
		if err == nil {
			return json.RawMessage(v)
		}
	}
	return v
}

// object reads what a flag gives as JSON, or as YAML between braces, which the shell
// makes easier to write: {all: [DONE.txt]}.
func object(flag, v string) (any, error) {
	_, err := decode(v)
	if err == nil {
		return json.RawMessage(v), nil
	}
	if docs, bad := graph.DecodeDocuments([]byte(v)); bad == nil && len(docs) == 1 && strings.HasPrefix(v, "{") {
		return docs[0].Plain(), nil
	}
	return nil, usagef("--%s: write an object, such as {key: value}; %q is none", flag, v)
}

// commas splits a list at its commas, but not within the braces of a glob.
func commas(s string) []string {
	var words []string
	depth, from := 0, 0
	for i, r := range s {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth <= 0 {
				words = append(words, s[from:i])
				from = i + 1
			}
		}
	}
	return append(words, s[from:])
}
