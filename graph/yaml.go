package graph

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxTreeNodes bounds what aliases can blow a small document up to.
const maxTreeNodes = 1_000_000

// yamlTree reads one YAML document into the JSON model: keys are text, dates stay
// text, infinity and NaN, binary and private tags are errors.
func yamlTree(src []byte) (*tree, error) {
	d := yaml.NewDecoder(bytes.NewReader(src))
	var root, second yaml.Node
	if err := d.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &problemError{pos: pos{line: 1, column: 1}, code: CodeSyntax, err: errors.New("the document is empty")}
		}
		return nil, yamlSyntax(src, err)
	}
	if err := d.Decode(&second); err == nil {
		return nil, &problemError{
			pos: pos{line: second.Line, column: 1}, code: CodeSyntax,
			err: errors.New("there is a second document after ---; a lattice is one document"),
		}
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlSyntax(src, err)
	}
	c := yamlConverter{left: maxTreeNodes}
	return c.convert(root.Content[0], "", 0)
}

// yamlSyntax takes line and message out of the library's error, and adds what is
// behind the two mistakes that expressions invite.
func yamlSyntax(src []byte, err error) error {
	re := regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// What the library's parser says: it counts lines from 0, and leaves out line 0. Its
	// scanner counts from 1.
	fromZero := regexp.MustCompile(`^did not find expected (node content|<document start>|'-' indicator|key|',' or)`)
	text := err.Error()
	line, numbered := 1, false
	if m := re.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line, numbered = n, true
		}
		text = text[len(m[0]):]
	}
	if numbered && fromZero.MatchString(text) {
		line++
	}
	hint := ""
	lines := strings.Split(string(src), "\n")
	for _, i := range []int{line - 1, line - 2, line} {
		if i >= 0 && i < len(lines) && strings.Contains(lines[i], "${{") {
			hint = `; put a value with ${{ … }} in quotes when it stands inside { } or [ ], or has ": " or " #" in it`
			break
		}
	}
	return &problemError{
		pos: pos{line: line, column: 1}, code: CodeSyntax,
		err: fmt.Errorf("not valid YAML: %s%s", text, hint),
	}
}

type yamlConverter struct {
	left int // nodes, against alias bombs
}

func (c *yamlConverter) convert(n *yaml.Node, path string, depth int) (*tree, error) {
	at := pos{line: n.Line, column: n.Column}
	if c.left--; c.left < 0 {
		return nil, &problemError{pos: at, path: path, code: CodeTooLarge, err: fmt.Errorf("the document has more than %d values, aliases expanded", maxTreeNodes)}
	}
	if depth > maxDepth {
		return nil, &problemError{pos: at, code: CodeTooLarge, err: errDepth} // its path has 200 keys
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.convert(n.Alias, path, depth+1)
	case yaml.MappingNode:
		return c.mapping(n, path, depth)
	case yaml.SequenceNode:
		t := &tree{kind: kindList, pos: at}
		for i, content := range n.Content {
			v, err := c.convert(content, item(path, i), depth+1)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, v)
		}
		return t, nil
	case yaml.ScalarNode:
		return yamlScalar(n, at, path)
	case yaml.DocumentNode:
	}
	return nil, &problemError{pos: at, path: path, code: CodeSyntax, err: errors.New("an unexpected YAML node")}
}

func (c *yamlConverter) mapping(n *yaml.Node, path string, depth int) (*tree, error) {
	t := &tree{kind: kindMap, pos: pos{line: n.Line, column: n.Column}}
	seen := map[string]bool{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		at := pos{line: n.Content[i].Line, column: n.Content[i].Column}
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!null" {
			return nil, &problemError{pos: at, path: path, code: CodeWrongType, err: errors.New("a key has to be text")}
		}
		if k.ShortTag() == "!!merge" {
			merges = append(merges, n.Content[i+1])
			continue
		}
		if seen[k.Value] {
			return nil, duplicateKey(at, join(path, k.Value), k.Value)
		}
		seen[k.Value] = true
		v, err := c.convert(n.Content[i+1], join(path, k.Value), depth+1)
		if err != nil {
			return nil, err
		}
		t.members = append(t.members, member{key: k.Value, pos: at, value: v})
	}
	for _, m := range merges {
		if err := c.merge(t, seen, m, path, depth); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// merge adds the keys of `<<: *anchor` that t does not have.
func (c *yamlConverter) merge(t *tree, seen map[string]bool, n *yaml.Node, path string, depth int) error {
	v, err := c.convert(n, path, depth+1)
	if err != nil {
		return err
	}
	from := []*tree{v}
	if v.kind == kindList {
		from = v.items
	}
	for _, f := range from {
		if f.kind != kindMap {
			return &problemError{pos: v.pos, path: path, code: CodeWrongType, err: errors.New("<< takes a mapping or a list of mappings")}
		}
		for _, m := range f.members {
			if !seen[m.key] {
				seen[m.key] = true
				t.members = append(t.members, m)
			}
		}
	}
	return nil
}

func yamlScalar(n *yaml.Node, at pos, path string) (*tree, error) {
	t := &tree{kind: kindText, value: n.Value, pos: at}
	wrong := func(format string, args ...any) (*tree, error) {
		return nil, &problemError{pos: at, path: path, code: CodeWrongType, err: fmt.Errorf(format, args...)}
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return t, nil
	case "!!null": // the tag may be written: !!null 5
		if n.Value != "" && n.Value != "~" && !strings.EqualFold(n.Value, "null") {
			return wrong("%s is not null", n.Value)
		}
		t.kind, t.value = kindNull, nil
		return t, nil
	case "!!bool":
		yes := strings.EqualFold(n.Value, "true")
		if !yes && !strings.EqualFold(n.Value, "false") {
			return wrong("%s is neither true nor false", n.Value)
		}
		t.kind, t.value = kindBool, yes
		return t, nil
	case "!!int":
		literal := strings.ReplaceAll(n.Value, "_", "")
		digits := strings.TrimLeft(literal, "+-")
		if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789") == "" {
			plain, _ := strconv.ParseFloat(literal, 64)
			return wrong(`%s could be read as octal; write %.0f, or "%s" for text`, n.Value, plain, n.Value)
		}
		i, err := strconv.ParseInt(literal, 0, 64)
		if errors.Is(err, strconv.ErrSyntax) {
			return wrong("%s is not a whole number", n.Value)
		}
		if err != nil || i > maxSafe || i < -maxSafe {
			return nil, outOfRange(at, path, n.Value)
		}
		t.kind, t.value = kindNumber, i
		return t, nil
	case "!!float":
		f, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return wrong("%s is not a number that JSON has", n.Value)
		}
		v, ok := documentNumber(f, integerLiteral(n.Value))
		if !ok {
			return nil, outOfRange(at, path, n.Value)
		}
		t.kind, t.value = kindNumber, v
		return t, nil
	default:
		return wrong("the YAML tag %s is not supported", tag)
	}
}
