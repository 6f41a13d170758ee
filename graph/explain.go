package graph

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// explain turns an error of the library into a problem with a suggestion.
func (c *compiler) explain(tree *parser.Tree, err error) *exprProblem {
	p := &exprProblem{code: CodeExpression, message: plainMessage(err)}
	var at *file.Error
	if !errors.As(err, &at) {
		return p
	}
	p.offset = at.From
	if name, ok := strings.CutPrefix(at.Message, "unknown name "); ok {
		p.code, p.message = CodeUnknownName, c.unknownName(name)
	} else if name, ok := strings.CutPrefix(at.Message, "unknown field "); ok && tree != nil {
		p.code, p.message = CodeUnknownName, unknownField(tree.Node, at.Location, name)
	}
	return p
}

func (c *compiler) unknownName(name string) string {
	switch name {
	case "now":
		return "now() is not available: the same values have to give the same result whenever it is computed"
	case "repeat", "timezone":
		return name + "() is not available in expressions"
	case "null", "None":
		return "there is no " + name + "; write nil"
	case "True", "False":
		return "there is no " + name + "; write " + strings.ToLower(name)
	}
	for _, group := range []string{"inputs", "electrons", "event", "dispatch"} {
		if fields, ok := c.env[group].(Env); ok {
			if _, ok := fields[name]; ok {
				return fmt.Sprintf("there is no %s; did you mean %s.%s?", name, group, name)
			}
		}
	}
	known := append(c.env.keys(), builtin.Names...)
	hint := didYouMean(name, known)
	if hint == "" {
		hint = "; there are " + strings.Join(c.env.keys(), ", ")
	}
	return "there is no " + name + hint
}

// unknownField names the object that lacks the field at a place, and what it has.
func unknownField(root ast.Node, at file.Location, name string) string {
	f := &memberFinder{at: at, name: name}
	ast.Walk(&root, f)
	if f.found == nil {
		return "there is no " + name
	}
	var known []string
	if data := f.found.Node.Nature().TypeData; data != nil {
		for k := range data.Fields {
			known = append(known, k)
		}
	}
	slices.Sort(known)
	base := f.found.Node.String()
	what := fmt.Sprintf("%s has no %s", base, name)
	switch base {
	case "inputs":
		what = "there is no input " + name
	case "electrons":
		what = "there is no electron " + name
	}
	hint := didYouMean(name, known)
	switch {
	case len(known) == 0 && base == "inputs":
		return what + "; the lattice declares none"
	case len(known) == 0 && strings.HasSuffix(base, ".files"):
		return what + "; it declares no outputs"
	}
	if hint == "" && len(known) > 0 && len(known) <= 12 {
		hint = "; it has " + strings.Join(known, ", ")
		if base == "inputs" || base == "electrons" {
			hint = "; there are " + strings.Join(known, ", ")
		}
	}
	return what + hint
}

type memberFinder struct {
	at    file.Location
	name  string
	found *ast.MemberNode
}

func (f *memberFinder) Visit(n *ast.Node) {
	m, ok := (*n).(*ast.MemberNode)
	if !ok || m.Property.Location() != f.at {
		return
	}
	// In electrons[inputs.n] both members have their property at the same place.
	if key, ok := m.Property.(*ast.StringNode); ok && key.Value == f.name {
		f.found = m
	}
}

var conversionRE = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`interface conversion: interface \{\} is (.+), not (.+)`)
})

// plainMessage takes the library's words for types and its picture of the source out.
func plainMessage(err error) string {
	text := err.Error()
	var at *file.Error
	if errors.As(err, &at) {
		text = at.Message
	}
	text = conversionRE().ReplaceAllString(firstLine(text), "$2 is expected, not $1")
	return strings.NewReplacer(
		"map[string]interface {}", "mapping", "[]interface {}", "list", "interface {}", "any value",
		"float64", "number", "int64", "integer", "<nil>", "null", "nil", "null",
		"runtime error: integer divide by zero", "division by zero",
		"unexpected token EOF", "the expression ends too early", `unexpected token Operator(":")`, "unexpected :; a mapping inside map(), filter() and the like stands in round brackets, ({…})", "memory budget exceeded", errCost.Error(),
	).Replace(strings.TrimSpace(text))
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
