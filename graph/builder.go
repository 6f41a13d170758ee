package graph

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// builder turns a tree into a Lattice and collects every problem on the way.
type builder struct {
	src      []byte // for positions; nil when there is no text
	problems problems
	lattice  *Lattice
	electron map[string]*tree // the declarations
	names    []string         // of the electrons, sorted
	compiler *compiler
}

// problem notes what is wrong at t.
func (b *builder) problem(t *tree, path, code, format string, args ...any) {
	b.problemAt(t.pos, path, code, format, args...)
}

func (b *builder) problemAt(at pos, path, code, format string, args ...any) {
	if b.problems.full() {
		return
	}
	line, column := at.in(b.src)
	b.problems.add(Problem{Path: path, Line: line, Column: column, Code: code, Message: fmt.Sprintf(format, args...)})
}

// field reads the value of one key.
type field struct {
	key  string
	read func(t *tree, path string)
}

// fields reads a mapping strictly. It tells whether t is one.
func (b *builder) fields(t *tree, path, what string, fields []field) bool {
	if t.kind != kindMap {
		of := ""
		if len(fields) <= 4 {
			of = " of " + strings.Join(keysOfFields(fields), ", ")
		}
		b.problem(t, path, CodeWrongType, "%s is a mapping%s, not %s", what, of, t.kind)
		return false
	}
	for _, m := range t.members {
		if b.problems.full() {
			break
		}
		found := false
		for _, f := range fields {
			if f.key == m.key {
				f.read(m.value, join(path, m.key))
				found = true
			}
		}
		if !found {
			b.unknownKey(m, path, what, fields)
		}
	}
	return true
}

func keysOfFields(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

func (b *builder) unknownKey(m member, path, what string, fields []field) {
	known := keysOfFields(fields)
	hint := didYouMean(m.key, known)
	if hint == "" {
		hint = "; it has " + strings.Join(known, ", ")
	}
	b.problemAt(m.pos, join(path, m.key), CodeUnknownKey, "%s has no key %s%s", what, quote(m.key), hint)
}

// text reads text without expressions.
func (b *builder) text(t *tree, path string) (string, bool) {
	s, ok := t.text()
	if !ok {
		hint := ""
		if t.kind == kindNumber || t.kind == kindBool {
			hint = "; put it in quotes"
		}
		b.problem(t, path, CodeWrongType, "text is expected, not %s%s", b.shown(t), hint)
		return "", false
	}
	if strings.Contains(s, "${{") {
		b.problem(t, path, CodeExpression, "expressions are not allowed here")
		return "", false
	}
	return s, true
}

// word reads one of some words.
func (b *builder) word(t *tree, path string, to *string, words ...string) {
	s, ok := b.text(t, path)
	if !ok {
		return
	}
	for _, w := range words {
		if s == w {
			*to = s
			return
		}
	}
	b.problem(t, path, CodeBadValue, "%s is not one of %s%s", quote(s), strings.Join(words, ", "), didYouMean(s, words))
}

// title reads the name of a lattice or an executor.
func (b *builder) title(t *tree, path, what string, to *string) {
	s, ok := b.text(t, path)
	if !ok {
		return
	}
	if !ValidTitle(s) {
		b.problem(t, path, CodeBadName, "%s", badTitle(what, s))
		return
	}
	*to = s
}

// integer reads a whole number between low and high.
func (b *builder) integer(t *tree, path string, low, high int64, to *int) {
	i, ok := t.value.(int64)
	if !ok || t.kind != kindNumber {
		b.problem(t, path, CodeWrongType, "a whole number is expected, not %s", b.shown(t))
		return
	}
	if i < low || i > high {
		b.problem(t, path, CodeBadValue, "%d is not between %d and %d", i, low, high)
		return
	}
	*to = int(i)
}

func (b *builder) boolean(t *tree, path string, to *bool) {
	v, ok := t.value.(bool)
	if !ok || t.kind != kindBool {
		b.problem(t, path, CodeWrongType, "true or false is expected, not %s", b.shown(t))
		return
	}
	*to = v
}

// positive reads a number above 0.
func (b *builder) positive(t *tree, path string, to *float64) {
	var f float64
	switch v := t.value.(type) {
	case int64:
		f = float64(v)
	case float64:
		f = v
	default:
		b.problem(t, path, CodeWrongType, "a number is expected, not %s", t.kind)
		return
	}
	if f <= 0 || f > math.MaxInt32 {
		b.problem(t, path, CodeBadValue, "%s is not a number above 0", b.shown(t))
		return
	}
	*to = f
}

// duration reads a length of time; with positive, 0 is a problem.
func (b *builder) duration(t *tree, path string, positive bool, to *time.Duration) {
	if t.kind == kindText {
		if _, ok := b.text(t, path); !ok {
			return
		}
	}
	d, err := ParseDuration(t.plain())
	switch {
	case err != nil:
		b.problem(t, path, CodeBadValue, "%v", err)
	case positive && d == 0:
		b.problem(t, path, CodeBadValue, "a duration above 0 is expected")
	default:
		*to = d
	}
}

func (b *builder) size(t *tree, path string, to *int64) {
	if t.kind == kindText {
		if _, ok := b.text(t, path); !ok {
			return
		}
	}
	n, err := ParseSize(t.plain())
	switch {
	case err != nil:
		b.problem(t, path, CodeBadValue, "%v", err)
	case n == 0:
		b.problem(t, path, CodeBadValue, "a size above 0 is expected")
	default:
		*to = n
	}
}

// shown is a scalar as it is, or the name of what it is.
func (b *builder) shown(t *tree) string {
	switch t.kind {
	case kindNumber, kindBool:
		return compact(t.value)
	case kindText:
		s, _ := t.text()
		return quote(s)
	case kindNull, kindList, kindMap:
	}
	return t.kind.String()
}

// compact is the canonical form for messages and for text around an expression.
func compact(v any) string {
	raw, err := Canonical(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
