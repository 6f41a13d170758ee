package graph

import (
	"errors"
	"fmt"
)

// problemError is a syntax error that knows where it is.
type problemError struct {
	pos  pos
	path string
	code string
	err  error
}

func (e *problemError) Error() string { return e.err.Error() }
func (e *problemError) Unwrap() error { return e.err }

// jsonTree reads a JSON document. With exact, integers beyond ±(2^53−1) are errors;
// a stored document was checked before, and there 1e20 has become an integer.
func jsonTree(src []byte, exact bool) (*tree, error) {
	p := jsonParser{src: src}
	t, err := p.tree(exact, "")
	if err == nil {
		err = p.end()
	}
	var known *problemError
	if err != nil && !errors.As(err, &known) {
		err = &problemError{pos: pos{offset: p.pos}, code: CodeSyntax, err: err}
	}
	return t, err
}

// tree reads a value with positions.
func (p *jsonParser) tree(exact bool, path string) (*tree, error) {
	c, err := p.peek()
	if err != nil {
		return nil, err
	}
	t := &tree{pos: pos{offset: p.pos}}
	switch c {
	case '{':
		t.kind = kindMap
		seen := map[string]bool{}
		err = p.object(func(key string, at int) error {
			if seen[key] {
				return duplicateKey(pos{offset: at}, join(path, key), key)
			}
			seen[key] = true
			v, err := p.tree(exact, join(path, key))
			t.members = append(t.members, member{key: key, pos: pos{offset: at}, value: v})
			return err
		})
	case '[':
		t.kind = kindList
		err = p.array(func() error {
			v, err := p.tree(exact, item(path, len(t.items)))
			t.items = append(t.items, v)
			return err
		})
	default:
		start := p.pos
		var v any
		v, err = p.scalar(c)
		var beyond *rangeError
		switch {
		case err == nil:
			err = t.setScalar(v, string(p.src[start:p.pos]), exact, path)
		case errors.As(err, &beyond):
			err = &problemError{pos: t.pos, path: path, code: CodeNumberRange, err: err}
		}
	}
	return t, err
}

// setScalar gives t the kind of a decoded scalar.
func (t *tree) setScalar(v any, literal string, exact bool, path string) error {
	t.value = v
	switch v.(type) {
	case nil:
		t.kind = kindNull
	case bool:
		t.kind = kindBool
	case string:
		t.kind = kindText
	default:
		t.kind = kindNumber
		n, ok := documentNumber(v, integerLiteral(literal))
		if !ok && exact {
			return outOfRange(t.pos, path, literal)
		}
		if i, isInt := n.(int64); isInt && !ok {
			n = float64(i)
		}
		t.value = n
	}
	return nil
}

func integerLiteral(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '.', 'e', 'E':
			return false
		}
	}
	return true
}

func duplicateKey(at pos, path, key string) error {
	return &problemError{pos: at, path: path, code: CodeDuplicateKey, err: fmt.Errorf("the key %s is there twice", quote(key))}
}

func outOfRange(at pos, path, literal string) error {
	return &problemError{
		pos: at, path: path, code: CodeNumberRange,
		err: fmt.Errorf("the integer %s is beyond ±(2^53−1) and not every program keeps it exactly; write it as text", literal),
	}
}
