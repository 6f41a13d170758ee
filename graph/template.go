package graph

import (
	"errors"
	"maps"
	"strings"
)

// Template is a JSON value with expressions in it, compiled. It is immutable and safe
// for concurrent use.
type Template struct {
	root part
	typ  Type
	refs []ref
}

// part is a piece of a template.
type part interface {
	eval(vars map[string]any) (any, error)
	inputs(seen map[string]bool) // notes those that it looks at
}

type (
	literal struct{ value any }
	text    []part // literals and programs, put together as text
	items   []part
	entries []entry
	entry   struct {
		key   string
		value part
	}
)

func (l literal) eval(map[string]any) (any, error)       { return l.value, nil }
func (p *program) eval(vars map[string]any) (any, error) { return p.run(vars) }

func (t text) eval(vars map[string]any) (any, error) {
	var b strings.Builder
	for _, p := range t {
		v, err := p.eval(vars)
		if err != nil {
			return nil, err
		}
		if err := vars[hidBudget].(*budget).takeTop(v); err != nil {
			return nil, err
		}
		if s, ok := v.(string); ok {
			b.WriteString(s)
		} else {
			b.WriteString(compact(v))
		}
	}
	return b.String(), nil
}

func (l items) eval(vars map[string]any) (any, error) {
	out := make([]any, len(l))
	for i, p := range l {
		v, err := p.eval(vars)
		if err != nil {
			return nil, within(item("", i), err)
		}
		out[i] = v
	}
	return out, nil
}

func (m entries) eval(vars map[string]any) (any, error) {
	out := make(map[string]any, len(m))
	for _, e := range m {
		v, err := e.value.eval(vars)
		if err != nil {
			return nil, within(join("", e.key), err)
		}
		out[e.key] = v
	}
	return out, nil
}

// within puts where in front of the place of an EvalError.
func within(where string, err error) error {
	var e *EvalError
	if !errors.As(err, &e) {
		return err
	}
	located := *e
	switch {
	case e.Where == "":
		located.Where = where
	case strings.HasPrefix(e.Where, "["):
		located.Where = where + e.Where
	default:
		located.Where = where + "." + e.Where
	}
	return &located
}

// CompileTemplate compiles the expressions ${{ … }} inside a JSON value; they see the
// variables of env. A text that is one expression keeps the type of its value; inside
// text, values that are not text become compact JSON; $${{ stands for ${{ itself. The
// error is an *Invalid with the paths inside v.
func CompileTemplate(v any, env Env) (*Template, error) {
	b := builder{compiler: newCompiler(env, nil)}
	t := b.template(treeOf(v), "")
	return t, b.problems.err()
}

// Type is what the value is known to be, Any when that shows at run time.
func (t *Template) Type() Type { return t.typ }

// Constant tells whether there is no expression in the template, and its value.
func (t *Template) Constant() (any, bool) {
	l, ok := t.root.(literal)
	return l.value, ok
}

// Eval computes the value. The variables are those of the Env it was compiled with,
// as JSON values; they are not changed. The error is an *EvalError.
func (t *Template) Eval(vars map[string]any) (any, error) {
	if l, ok := t.root.(literal); ok {
		return l.value, nil
	}
	with := make(map[string]any, len(vars)+1)
	maps.Copy(with, vars)
	with[hidBudget] = newBudget()
	return t.eval(with)
}

// eval computes with variables that include a budget.
func (t *Template) eval(vars map[string]any) (any, error) { return t.root.eval(vars) }

// template compiles what stands at t.
func (b *builder) template(t *tree, path string) *Template {
	var refs []ref
	root := b.part(t, path, &refs)
	return &Template{root: root, typ: partType(root), refs: refs}
}

func partType(p part) Type {
	switch p := p.(type) {
	case *program:
		return p.typ
	case text:
		return String
	case items:
		return Array
	case entries:
		return Object
	case literal:
		switch p.value.(type) {
		case string:
			return String
		case bool:
			return Boolean
		case int64:
			return Integer
		case float64:
			return Number
		case []any:
			return Array
		case map[string]any:
			return Object
		}
	}
	return Any
}

func (b *builder) part(t *tree, path string, refs *[]ref) part {
	if b.problems.full() {
		return literal{t.value}
	}
	switch t.kind {
	case kindText:
		s, _ := t.text()
		return b.textPart(t, s, path, refs)
	case kindList:
		l, constant := make(items, len(t.items)), true
		for i, it := range t.items {
			l[i] = b.part(it, item(path, i), refs)
			constant = constant && isLiteral(l[i])
		}
		if constant {
			v, _ := l.eval(nil)
			return literal{v}
		}
		return l
	case kindMap:
		m, constant := make(entries, len(t.members)), true
		for i, mem := range t.members {
			m[i] = entry{mem.key, b.part(mem.value, join(path, mem.key), refs)}
			constant = constant && isLiteral(m[i].value)
		}
		if constant {
			v, _ := m.eval(nil)
			return literal{v}
		}
		return m
	case kindNull, kindBool, kindNumber:
	}
	return literal{t.value}
}

func isLiteral(p part) bool {
	_, ok := p.(literal)
	return ok
}
