package graph

import "errors"

type binder struct{}

var errUnfinished = errors.New("not built yet")

func Parse(src []byte) (*Lattice, error) { return nil, errUnfinished }
func Load(doc []byte) (*Lattice, error)  { return nil, errUnfinished }

func (l *Lattice) Bind(inputs map[string]any) (map[string]any, error) { return nil, errUnfinished }
func (l *Lattice) Condition(i int, s Scope) (bool, error)             { return true, errUnfinished }
func (l *Lattice) Resolve(i int, s Scope) (Resolved, error)           { return Resolved{}, errUnfinished }
func (l *Lattice) Compose(s Scope) (any, error)                       { return nil, errUnfinished }

// Type is what a variable of an expression is known to hold.
type Type string

// The types, named as in JSON Schema. A nested Env is an object with known fields.
const (
	Any     Type = "any"
	String  Type = "string"
	Integer Type = "integer"
	Number  Type = "number"
	Boolean Type = "boolean"
	Array   Type = "array"
	Object  Type = "object" // of any fields
)

// Env declares the variables of an expression: each value is a Type or an Env.
type Env map[string]any

type Template struct{}

func CompileTemplate(v any, env Env) (*Template, error)   { return nil, errUnfinished }
func CompileExpr(src string, env Env) (*Template, error)  { return nil, errUnfinished }
func (t *Template) Eval(vars map[string]any) (any, error) { return nil, errUnfinished }

// Source is a document as its author wrote it, with `include` as a list of globs.
type Source struct{}

func Decode(src []byte) (*Source, error)        { return nil, errUnfinished }
func (s *Source) Includes() []string            { return nil }
func (s *Source) Pack(files map[string]Include) {}
func (s *Source) Lattice() (*Lattice, error)    { return nil, errUnfinished }
