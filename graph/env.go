package graph

import (
	"reflect"
	"slices"

	"github.com/expr-lang/expr/checker/nature"
)

// Type is what a variable of an expression is known to hold.
type Type string

// The types, named as in JSON Schema.
const (
	Any     Type = "any"
	String  Type = "string"
	Integer Type = "integer"
	Number  Type = "number"
	Boolean Type = "boolean"
	Array   Type = "array"
	Object  Type = "object" // of any keys; a missing one is found at run time
)

// Env declares the variables of an expression. Each value is a Type, or an Env: an
// object with exactly these keys, where another one is an error when it is compiled.
type Env map[string]any

// latticeEnv is what the expressions of a lattice see. The declared electrons and
// their outputs have to be known.
func latticeEnv(l *Lattice) (Env, map[string]int) {
	inputs := Env{}
	for _, in := range l.Inputs {
		inputs[in.Name] = inputType(in)
	}
	electrons := make(Env, len(l.Electrons))
	for i := range l.Electrons {
		files := make(Env, len(l.Electrons[i].Outputs))
		for _, o := range l.Electrons[i].Outputs {
			files[o.Name] = Any // a path; in `output` whatever the scope says
		}
		electrons[l.Electrons[i].Name] = Env{"result": Any, "files": files, "stdout": String}
	}
	return Env{
		"inputs":    inputs,
		"electrons": electrons,
		"dispatch": Env{
			"id": String, "number": Integer, "parent_id": Any, "root_id": String, "trigger": Any, "labels": Object,
		},
	}, l.index
}

func inputType(in Input) Type {
	switch in.Type {
	case "string":
		return String
	case "integer":
		return Integer
	case "number":
		return Number
	case "boolean":
		return Boolean
	case "array":
		return Array
	case "object":
		return Object
	}
	return Any
}

// natureOf says the same in the words of the expression library.
func natureOf(v any) nature.Nature {
	switch v := v.(type) {
	case Env:
		n := nature.FromType(reflect.TypeFor[map[string]any]())
		n.TypeData = &nature.TypeData{Fields: make(map[string]nature.Nature, len(v))}
		n.Strict = true
		for name, field := range v {
			n.Fields[name] = natureOf(field)
		}
		return n
	case Type:
		switch v {
		case String:
			return nature.FromType(reflect.TypeFor[string]())
		case Integer:
			return nature.FromType(reflect.TypeFor[int64]())
		case Number:
			return nature.FromType(reflect.TypeFor[float64]())
		case Boolean:
			return nature.FromType(reflect.TypeFor[bool]())
		case Array:
			return nature.FromType(reflect.TypeFor[[]any]())
		case Object:
			return nature.FromType(reflect.TypeFor[map[string]any]())
		case Any:
		}
	}
	return nature.Nature{}
}

// typeOf is the way back, for the result of an expression.
func typeOf(n nature.Nature) Type {
	switch n.Kind {
	case reflect.String:
		return String
	case reflect.Bool:
		return Boolean
	case reflect.Int, reflect.Int64:
		return Integer
	case reflect.Float64:
		return Number
	case reflect.Slice:
		return Array
	case reflect.Map:
		return Object
	}
	return Any
}

// word names a type in a sentence.
func (t Type) word() string { return typeWord(string(t)) }

// keysOf lists the variables for suggestions.
func (e Env) keys() []string {
	keys := make([]string, 0, len(e))
	for k := range e {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
