package graph

import (
	"reflect"

	"github.com/expr-lang/expr/ast"
)

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
