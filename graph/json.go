package graph

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON values; people need ten.
const maxDepth = 200

// maxSafe is the largest integer that every JSON reader keeps exactly.
const maxSafe = 1<<53 - 1

// DecodeValue reads one JSON value strictly: duplicate keys, trailing data, invalid
// UTF-8, lone surrogates and integers that can't be kept exactly are errors. An
// integer literal becomes an int64; any other number a float64.
func DecodeValue(raw []byte) (any, error) {
	p := jsonParser{src: raw}
	v, err := p.plain()
	if err != nil {
		return nil, p.at(err)
	}
	if err := p.end(); err != nil {
		return nil, p.at(err)
	}
	return v, nil
}

// jsonParser is a strict reader of RFC 8259 text. It knows two shapes of output:
// plain values, and nodes with positions.
type jsonParser struct {
	src   []byte
	pos   int
	depth int
}

var (
	errEnd      = errors.New("the text ends too early")
	errTrailing = errors.New("there is more text after the value")
	errDepth    = fmt.Errorf("nested deeper than %d levels", maxDepth)
)

// at adds where the parser stands to err.
func (p *jsonParser) at(err error) error {
	line, column := position(p.src, p.pos)
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// position converts a byte offset into line and column, both from 1.
func position(src []byte, offset int) (line, column int) {
	offset = min(offset, len(src))
	line = 1
	start := 0
	for i := range offset {
		if src[i] == '\n' {
			line++
			start = i + 1
		}
	}
	return line, utf8.RuneCount(src[start:offset]) + 1
}

func (p *jsonParser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// end makes sure that nothing follows.
func (p *jsonParser) end() error {
	p.space()
	if p.pos < len(p.src) {
		return errTrailing
	}
	return nil
}

// peek returns the next byte that is not space.
func (p *jsonParser) peek() (byte, error) {
	p.space()
	if p.pos >= len(p.src) {
		return 0, errEnd
	}
	return p.src[p.pos], nil
}

// plain reads a value.
func (p *jsonParser) plain() (any, error) {
	c, err := p.peek()
	if err != nil {
		return nil, err
	}
	switch c {
	case '{':
		m := map[string]any{}
		err := p.object(func(key string, at int) error {
			if _, ok := m[key]; ok {
				p.pos = at
				return fmt.Errorf("the key %s is there twice", quote(key))
			}
			v, err := p.plain()
			m[key] = v
			return err
		})
		return m, err
	case '[':
		l := []any{}
		err := p.array(func() error {
			v, err := p.plain()
			l = append(l, v)
			return err
		})
		return l, err
	default:
		return p.scalar(c)
	}
}

// object reads { … } and calls member behind each colon.
func (p *jsonParser) object(member func(key string, at int) error) error {
	return p.container('}', func() error {
		c, err := p.peek()
		if err != nil {
			return err
		}
		if c != '"' {
			return errors.New(`a key in double quotes is expected`)
		}
		at := p.pos
		key, err := p.text()
		if err != nil {
			return err
		}
		if c, err = p.peek(); err != nil {
			return err
		}
		if c != ':' {
			return errors.New("a colon is expected after a key")
		}
		p.pos++
		return member(key, at)
	})
}

// array reads [ … ] and calls item before each.
func (p *jsonParser) array(item func() error) error { return p.container(']', item) }

func (p *jsonParser) container(closing byte, item func() error) error {
	if p.depth++; p.depth > maxDepth {
		return errDepth
	}
	p.pos++
	c, err := p.peek()
	for first := true; err == nil && c != closing; first = false {
		if !first {
			if c != ',' {
				return fmt.Errorf("a comma or %c is expected", closing)
			}
			p.pos++
		}
		if err = item(); err == nil {
			c, err = p.peek()
		}
	}
	if err != nil {
		return err
	}
	p.pos++
	p.depth--
	return nil
}

// scalar reads text, a number, true, false or null.
func (p *jsonParser) scalar(c byte) (any, error) {
	switch {
	case c == '"':
		return p.text()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, v := range map[string]any{"true": true, "false": false, "null": nil} {
		if n := p.pos + len(word); n <= len(p.src) && string(p.src[p.pos:n]) == word {
			p.pos = n
			return v, nil
		}
	}
	return nil, errors.New("a JSON value is expected")
}

// number reads per the grammar of RFC 8259; leading zeros and a bare point are errors.
func (p *jsonParser) number() (any, error) {
	start, integer := p.pos, true
	digits := func() bool {
		from := p.pos
		for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	next := func(set string) bool {
		if p.pos >= len(p.src) {
			return false
		}
		for i := range len(set) {
			if p.src[p.pos] == set[i] {
				p.pos++
				return true
			}
		}
		return false
	}
	bad := errors.New("this is not a JSON number")
	next("-")
	zero := p.pos < len(p.src) && p.src[p.pos] == '0'
	from := p.pos
	if !digits() || zero && p.pos > from+1 {
		return nil, bad
	}
	if next(".") {
		integer = false
		if !digits() {
			return nil, bad
		}
	}
	if next("eE") {
		integer = false
		next("+-")
		if !digits() {
			return nil, bad
		}
	}
	v, err := numberValue(string(p.src[start:p.pos]), integer)
	if err != nil {
		p.pos = start
	}
	return v, err
}

// numberValue turns a literal into an int64 or a float64. An integer beyond int64
// passes only when a float64 holds exactly what was written, as RFC 8785 writes it.
func numberValue(literal string, integer bool) (any, error) {
	if integer {
		if i, err := strconv.ParseInt(literal, 10, 64); err == nil {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, &rangeError{fmt.Sprintf("the number %s is too large", quote(literal))}
	}
	if integer && string(appendNumber(nil, f)) != literal {
		return nil, &rangeError{fmt.Sprintf("the integer %s can't be kept exactly; write it as text", literal)}
	}
	return f, nil
}

// rangeError is about a number that is JSON but can't be kept.
type rangeError struct{ message string }

func (e *rangeError) Error() string { return e.message }
