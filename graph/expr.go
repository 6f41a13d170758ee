package graph

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	exprcompiler "github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// compiler makes programs of expressions that see the same variables. It is used by
// one goroutine; its programs by any number.
type compiler struct {
	env         Env
	index       map[string]int // of electrons; nil outside of lattices
	config      *conf.Config
	nullSkipped bool // a skipped electron is null everywhere
	programs    map[programKey]*program
}

type programKey struct {
	src         string
	nullSkipped bool
}

// program is a compiled expression.
type program struct {
	src    string
	vm     *vm.Program
	typ    Type
	refs   []ref
	result int // the electron, when the expression is exactly its result; else -1
}

// ref is what an expression needs of an electron.
type ref struct {
	electron int
	field    string // result, files or stdout
	file     string // of files; "": all of them
	optional bool   // electrons.a?.…
	exact    bool   // nothing follows the field
}

// exprProblem is what is wrong with an expression, at a character of it.
type exprProblem struct {
	offset  int
	code    string
	message string
}

func newCompiler(env Env, index map[string]int) *compiler {
	c := &compiler{env: env, index: index, config: conf.CreateNew(), programs: map[programKey]*program{}}
	root := natureOf(env)
	root.Fields[hidBudget] = natureOf(Any)
	c.config.EnvObject, c.config.Env, c.config.Strict = map[string]any{}, root, true
	c.config.MaxNodes = maxNodes
	c.config.Functions = functions()
	for _, name := range disabledBuiltins() {
		c.config.Disabled[name] = true
		delete(c.config.Builtins, name)
	}
	return c
}

// compile checks and compiles one expression.
func (c *compiler) compile(src string) (*program, *exprProblem) {
	key := programKey{src, c.nullSkipped}
	if p, ok := c.programs[key]; ok {
		return p, nil
	}
	switch {
	case strings.TrimSpace(src) == "":
		return nil, &exprProblem{code: CodeExpression, message: "the expression is empty"}
	case len(src) > maxExpression:
		return nil, &exprProblem{code: CodeTooLarge, message: fmt.Sprintf("the expression is longer than %d bytes", maxExpression)}
	}
	p, err := c.build(src)
	if err != nil {
		return nil, err
	}
	c.programs[key] = p
	return p, nil
}

func (c *compiler) build(src string) (p *program, problem *exprProblem) {
	defer func() {
		// The library panics on some sources; an expression is not worth a crash.
		if r := recover(); r != nil {
			p, problem = nil, &exprProblem{code: CodeExpression, message: fmt.Sprint(r)}
		}
	}()
	tree, err := parser.ParseWithConfig(src, c.config)
	if err != nil {
		return nil, c.explain(tree, err)
	}
	// a < b < c makes a tree that shares nodes, nested ones without end; so the size
	// is counted as the checker will walk it.
	if left := maxNodes; !countNodes(tree.Node, &left) {
		return nil, &exprProblem{code: CodeTooLarge, message: fmt.Sprintf("the expression has more than %d parts", maxNodes)}
	}
	if _, err := new(checker.Checker).Check(tree, c.config); err != nil {
		return nil, c.explain(tree, err)
	}
	p = &program{src: src, typ: typeOf(*tree.Node.Nature()), result: -1}
	r := rewriter{c: c}
	root := &ast.SequenceNode{Nodes: []ast.Node{r.rewrite(tree.Node, false)}}
	if r.err != nil {
		return nil, &exprProblem{offset: r.err.From, code: CodeExpression, message: r.err.Message}
	}
	if len(r.refs) == 1 && r.refs[0].exact && r.refs[0].field == "result" && isChain(tree.Node) {
		p.result = r.refs[0].electron
	}
	if call, ok := root.Nodes[0].(*ast.CallNode); ok {
		p.typ = typeOf(*call.Nature())
	}
	tree.Node = root
	if p.vm, err = exprcompiler.Compile(tree, c.config); err != nil {
		return nil, &exprProblem{code: CodeExpression, message: firstLine(err.Error())}
	}
	root.Nodes = nil // the program keeps the tree alive and does not need it
	p.refs = r.refs
	return p, nil
}

func isChain(n ast.Node) bool {
	switch n.(type) {
	case *ast.MemberNode, *ast.ChainNode:
		return true
	}
	return false
}

// run evaluates to a JSON value. The variables include the budget.
func (p *program) run(vars map[string]any) (any, error) {
	v, err := vm.Run(p.vm, vars)
	if err == nil {
		v, err = normalize(v, vars[hidBudget].(*budget))
	}
	if err != nil {
		return nil, &EvalError{Expression: strings.TrimSpace(p.src), Message: plainMessage(err)}
	}
	return v, nil
}

// EvalError says why an expression has no value.
type EvalError struct {
	Where      string // args.path, run[1] … ; empty when there is only one place
	Expression string // without ${{ }}
	Message    string
}

func (e *EvalError) Error() string {
	where := ""
	if e.Where != "" {
		where = e.Where + ": "
	}
	if e.Expression == "" {
		return where + e.Message
	}
	return where + "${{ " + e.Expression + " }}: " + e.Message
}

// countNodes pays for every visit; false: there is not enough.
func countNodes(n ast.Node, left *int) bool {
	v := &counter{left: left}
	v.walk(n)
	return *left >= 0
}

type counter struct{ left *int }

func (v *counter) walk(n ast.Node) {
	if *v.left--; *v.left < 0 || n == nil || reflect.ValueOf(n).IsNil() {
		return
	}
	switch n := n.(type) {
	case *ast.UnaryNode:
		v.walk(n.Node)
	case *ast.BinaryNode:
		v.walk(n.Left)
		v.walk(n.Right)
	case *ast.ChainNode:
		v.walk(n.Node)
	case *ast.MemberNode:
		v.walk(n.Node)
		v.walk(n.Property)
	case *ast.SliceNode:
		v.walk(n.Node)
		v.walk(n.From)
		v.walk(n.To)
	case *ast.CallNode:
		v.walk(n.Callee)
		v.list(n.Arguments)
	case *ast.BuiltinNode:
		v.list(n.Arguments)
	case *ast.PredicateNode:
		v.walk(n.Node)
	case *ast.VariableDeclaratorNode:
		v.walk(n.Value)
		v.walk(n.Expr)
	case *ast.SequenceNode:
		v.list(n.Nodes)
	case *ast.ConditionalNode:
		v.walk(n.Cond)
		v.walk(n.Exp1)
		v.walk(n.Exp2)
	case *ast.ArrayNode:
		v.list(n.Nodes)
	case *ast.MapNode:
		v.list(n.Pairs)
	case *ast.PairNode:
		v.walk(n.Key)
		v.walk(n.Value)
	}
}

func (v *counter) list(nodes []ast.Node) {
	for _, n := range nodes {
		v.walk(n)
	}
}

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
	f := &memberFinder{at: at}
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
	found *ast.MemberNode
}

func (f *memberFinder) Visit(n *ast.Node) {
	if m, ok := (*n).(*ast.MemberNode); ok && m.Property.Location() == f.at {
		f.found = m
	}
}

var conversionRE = regexp.MustCompile(`interface conversion: interface \{\} is (\S+), not (\S+)`)

// plainMessage takes the library's words for types and its picture of the source out.
func plainMessage(err error) string {
	text := err.Error()
	var at *file.Error
	if errors.As(err, &at) {
		text = at.Message
	}
	text = conversionRE.ReplaceAllString(firstLine(text), "$2 is expected, not $1")
	return strings.NewReplacer(
		"map[string]interface {}", "mapping", "[]interface {}", "list", "interface {}", "any value",
		"float64", "number", "int64", "integer", "<nil>", "null", "nil", "null",
	).Replace(text)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
