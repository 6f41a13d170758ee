package graph

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	exprcompiler "github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
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
	late        bool // one looks at what is known of a dispatch only once it is stored
}

type programKey struct {
	src         string
	nullSkipped bool
}

// program is a compiled expression.
type program struct {
	src        string
	vm         *vm.Program
	typ        Type
	refs       []ref
	inputNames []string // that it looks at, see rewriter
	result     int      // the electron, when the expression is exactly its result; else -1
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
	p.refs, p.inputNames = r.refs, r.inputs
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
	return where + "${{ " + cut(e.Expression, 200) + " }}: " + e.Message
}
