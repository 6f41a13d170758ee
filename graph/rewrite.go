package graph

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/file"
)

// rewriter walks a checked syntax tree once. It replaces chains by access, puts the
// payments of cost.go in, collects what the expression refers to, and refuses what
// could not be found out before a run.
type rewriter struct {
	c      *compiler
	refs   []ref
	inputs []string // that are looked at; everyInput when that shows at run time
	err    *file.Error
}

func (r *rewriter) refuse(n ast.Node, format string, args ...any) {
	if r.err == nil {
		r.err = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}

// rewrite returns what takes the place of n. lenient: the value may be missing.
func (r *rewriter) rewrite(n ast.Node, lenient bool) ast.Node {
	switch n := n.(type) {
	case *ast.MemberNode, *ast.ChainNode:
		return r.chain(n, lenient)
	case *ast.IdentifierNode:
		switch {
		case n.Value == "$env":
			r.refuse(n, "$env is not available")
		case n.Value == "electrons" && r.c.index != nil:
			r.refuse(n, "electrons needs a name: electrons.NAME.result, .files or .stdout")
		case n.Value == "inputs":
			r.inputs = append(r.inputs, everyInput)
		case n.Value == "dispatch":
			r.c.late = true
		}
	case *ast.BytesNode:
		r.refuse(n, "bytes are not JSON; use text")
	case *ast.BinaryNode:
		return r.binary(n, lenient)
	case *ast.BuiltinNode:
		return r.builtin(n)
	case *ast.CallNode:
		return r.call(n)
	case *ast.UnaryNode:
		n.Node = r.rewrite(n.Node, false)
	case *ast.SliceNode:
		n.Node = r.pay(hidPayTop, r.rewrite(n.Node, false))
		if n.From != nil {
			n.From = r.rewrite(n.From, false)
		}
		if n.To != nil {
			n.To = r.rewrite(n.To, false)
		}
	case *ast.PredicateNode:
		n.Node = r.wrap(hidTick, r.rewrite(n.Node, false))
	case *ast.VariableDeclaratorNode:
		n.Value, n.Expr = r.rewrite(n.Value, false), r.rewrite(n.Expr, lenient)
	case *ast.SequenceNode:
		r.all(n.Nodes)
	case *ast.ConditionalNode:
		n.Cond, n.Exp1, n.Exp2 = r.rewrite(n.Cond, false), r.rewrite(n.Exp1, lenient), r.rewrite(n.Exp2, lenient)
	case *ast.ArrayNode:
		r.all(n.Nodes)
		return r.pay(hidPayAll, n)
	case *ast.MapNode:
		r.all(n.Pairs)
		return r.pay(hidPayAll, n)
	case *ast.PairNode:
		n.Key, n.Value = r.rewrite(n.Key, false), r.rewrite(n.Value, false)
	}
	return n
}

func (r *rewriter) all(nodes []ast.Node) {
	for i := range nodes {
		nodes[i] = r.rewrite(nodes[i], false)
	}
}

func (r *rewriter) binary(n *ast.BinaryNode, lenient bool) ast.Node {
	if n.Operator == "??" {
		n.Left, n.Right = r.rewrite(n.Left, true), r.rewrite(n.Right, lenient)
		return n
	}
	n.Left, n.Right = r.rewrite(n.Left, false), r.rewrite(n.Right, false)
	switch n.Operator {
	case "+":
		return r.pay(hidPayTop, n)
	case "==", "!=", "in", "not in":
		n.Left, n.Right = r.pay(hidPayAll, n.Left), r.pay(hidPayAll, n.Right)
	case "matches":
		return r.matches(n)
	case "contains", "startsWith", "endsWith", "<", ">", "<=", ">=":
		n.Left, n.Right = r.pay(hidPayTop, n.Left), r.pay(hidPayTop, n.Right)
	}
	return n
}

// matches replaces the operator; a constant pattern is compiled here.
func (r *rewriter) matches(n *ast.BinaryNode) ast.Node {
	right := n.Right
	if s, ok := right.(*ast.StringNode); ok {
		p, err := compilePattern(s.Value)
		if err != nil {
			r.refuse(s, "%v", err)
			return n
		}
		right = &ast.ConstantNode{Value: p}
	}
	return r.make(n, hidMatches, *n.Nature(), r.budget(), n.Left, right)
}

func (r *rewriter) builtin(n *ast.BuiltinNode) ast.Node {
	switch {
	case n.Name == "date" && len(n.Arguments) > 2:
		r.refuse(n, "date() takes a text and its layout; time zones are not available: what is known of them differs between machines")
		return n
	case n.Name == "findLast" || n.Name == "findLastIndex":
		// Loops that run backwards leave values on the library's stack (1.17.8), which
		// the rest of the expression takes for its own.
		r.refuse(n, "%s() is not available; use find(reverse(list), …)", n.Name)
		return n
	}
	r.all(n.Arguments)
	how := builtinCost(n.Name)
	for i, a := range n.Arguments {
		if _, predicate := a.(*ast.PredicateNode); predicate {
			// The turns of the loop pay.
			how = ""
		} else if how != "" {
			n.Arguments[i] = r.pay(how, a)
		}
	}
	return n
}

// builtinCost says what a builtin function looks at: nothing, the top, or everything.
func builtinCost(name string) string {
	switch name {
	case "type", "abs", "ceil", "floor", "round", "get", "first", "last",
		"bitand", "bitor", "bitxor", "bitnand", "bitnot", "bitshl", "bitshr", "bitushr":
		return ""
	case "len", "reverse", "concat", "take", "sort",
		"filter", "map", "all", "any", "none", "one", "find", "findIndex", "groupBy", "sortBy", "reduce",
		"trim", "trimPrefix", "trimSuffix", "upper", "lower", "indexOf", "lastIndexOf",
		"hasPrefix", "hasSuffix", "toBase64", "fromBase64", "float", "date", "duration":
		return hidPayTop
	}
	return hidPayAll // string, min, max, sum, mean, median, flatten, count …
}

// call rewrites a call of one of our own functions; there are no others.
func (r *rewriter) call(n *ast.CallNode) ast.Node {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		r.refuse(n, "values have no methods")
		return n
	}
	if strings.HasPrefix(callee.Value, hidden) {
		return n // a shared node, rewritten before
	}
	if _, own := r.c.config.Functions[hidden+callee.Value]; !own {
		r.refuse(n, "%s is not a function", callee.Value)
		return n
	}
	r.all(n.Arguments)
	for i := range n.Arguments {
		n.Arguments[i] = r.pay(hidPayTop, n.Arguments[i])
	}
	return r.make(n, hidden+callee.Value, *n.Nature(), append([]ast.Node{r.budget()}, n.Arguments...)...)
}

// pay wraps n unless it is a number, a boolean or a literal.
func (r *rewriter) pay(how string, n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.StringNode, *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.PredicateNode:
		return n
	}
	switch n.Type().Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return n
	}
	return r.wrap(how, n)
}

func (r *rewriter) wrap(how string, n ast.Node) ast.Node {
	return r.make(n, how, *n.Nature(), r.budget(), n)
}

func (r *rewriter) budget() ast.Node { return &ast.IdentifierNode{Value: hidBudget} }

// make calls a hidden function in the place of n.
func (r *rewriter) make(n ast.Node, name string, nt nature.Nature, args ...ast.Node) ast.Node {
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
	call.SetLocation(n.Location())
	call.SetNature(nt)
	return call
}

// chain rewrites root.a?.b[c] as a whole.
func (r *rewriter) chain(n ast.Node, lenient bool) ast.Node {
	var members []*ast.MemberNode
	root := n
	for {
		if c, ok := root.(*ast.ChainNode); ok {
			root = c.Node
		} else if m, ok := root.(*ast.MemberNode); ok {
			members = append(members, m)
			root = m.Node
		} else {
			break
		}
	}
	if len(members) == 0 {
		return r.rewrite(root, lenient)
	}
	slices.Reverse(members)
	p := &accessPath{root: "(…)", steps: make([]accessStep, len(members))}
	args := []ast.Node{&ast.ConstantNode{Value: p}, nil}
	nt := *n.Nature()
	for i, m := range members {
		s := &p.steps[i]
		s.optional, s.missing = m.Optional, lenient || i+1 < len(members) && members[i+1].Optional
		if s.optional || s.missing {
			nt = nature.Nature{}
		}
		switch property := m.Property.(type) {
		case *ast.StringNode:
			s.key = property.Value
		case *ast.IntegerNode:
			s.key = property.Value
		default:
			args = append(args, r.rewrite(m.Property, false))
		}
	}
	switch root := root.(type) {
	case *ast.IdentifierNode:
		p.root = root.Value
		if root.Value == "electrons" && r.c.index != nil {
			p.skipped = r.c.nullSkipped
			if p.skipped {
				nt = nature.Nature{}
			}
			r.reference(n, p)
		} else if root.Value == "inputs" {
			r.input(p)
		} else if root.Value == "dispatch" && !knownEarly(p.steps[0].key) {
			r.c.late = true
		} else if root.Value == "$env" {
			r.refuse(root, "$env is not available")
		}
		args[1] = root
	case *ast.PointerNode:
		p.root = "#" + root.Name
		args[1] = root
	default:
		args[1] = r.rewrite(root, false)
	}
	return r.make(n, hidAccess, nt, args...)
}

// knownEarly tells whether a field of dispatch is known before it is stored.
func knownEarly(key any) bool { return key == "id" || key == "parent_id" || key == "labels" }

// reference notes which part of which electron a chain needs.
func (r *rewriter) reference(n ast.Node, p *accessPath) {
	name, _ := p.steps[0].key.(string)
	electron, known := r.c.index[name]
	field := ""
	if len(p.steps) > 1 {
		field, _ = p.steps[1].key.(string)
	}
	switch {
	case !known:
		r.refuse(n, "electrons needs a name that is known before the run: electrons.NAME")
		return
	case p.steps[0].optional:
		r.refuse(n, "write electrons.%s?.result: the electron is there, its result may not be", name)
		return
	case field == "":
		r.refuse(n, "electrons.%s needs .result, .files or .stdout", name)
		return
	}
	f := ref{electron: electron, field: field, optional: p.steps[1].optional, exact: len(p.steps) == 2}
	if field == "files" && len(p.steps) > 2 {
		f.file, _ = p.steps[2].key.(string)
	}
	r.refs = append(r.refs, f)
}
