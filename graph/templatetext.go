package graph

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// textPart splits text into literals and expressions.
func (b *builder) textPart(t *tree, s, path string, refs *[]ref) part {
	var out text
	var plain strings.Builder
	rest := s
	for {
		i := strings.Index(rest, "${{")
		if i < 0 {
			break
		}
		if i > 0 && rest[i-1] == '$' {
			plain.WriteString(rest[:i-1] + "${{")
			rest = rest[i+3:]
			continue
		}
		plain.WriteString(rest[:i])
		body := rest[i+3:]
		end := expressionEnd(body)
		start := len(s) - len(body)
		if end < 0 {
			b.inText(t, s, start-3, path, CodeExpression, "${{ has no }}")
			return literal{""}
		}
		p, problem := b.compiler.compile(body[:end])
		rest = body[end+2:]
		if problem != nil {
			b.inText(t, s, start+runeOffset(body, problem.offset), path, problem.code, problem.message)
			continue
		}
		*refs = append(*refs, p.refs...)
		if start == 3 && rest == "" {
			return p
		}
		if plain.Len() > 0 {
			out = append(out, literal{plain.String()})
			plain.Reset()
		}
		out = append(out, p)
	}
	plain.WriteString(rest)
	if len(out) == 0 {
		return literal{plain.String()}
	}
	if plain.Len() > 0 {
		out = append(out, literal{plain.String()})
	}
	return slices.Clip(out)
}

// inText notes a problem at a byte of a text. The column is exact when the text
// stands in the source as it is.
func (b *builder) inText(t *tree, s string, offset int, path, code, message string) {
	line, column := t.pos.in(b.src)
	if c, ok := textColumn(b.src, line, column, s); ok {
		column = c + utf8.RuneCountInString(s[:min(offset, len(s))])
	}
	b.problems.add(Problem{Path: path, Line: line, Column: column, Code: code, Message: message})
}

// textColumn finds the column of the first character of s, behind a quote or not.
func textColumn(src []byte, line, column int, s string) (int, bool) {
	if line == 0 || strings.Contains(s, "\n") {
		return 0, false
	}
	for ; line > 1; line-- {
		_, src, _ = bytes.Cut(src, []byte("\n"))
	}
	for skip := column; skip > 1 && len(src) > 0; skip-- {
		_, n := utf8.DecodeRune(src)
		src = src[n:]
	}
	if bytes.HasPrefix(src, []byte(s)) {
		return column, true
	}
	return column + 1, len(src) > 0 && bytes.HasPrefix(src[1:], []byte(s))
}

func runeOffset(s string, runes int) int {
	for i := range s {
		if runes == 0 {
			return i
		}
		runes--
	}
	return len(s)
}

// expressionEnd finds the }} that closes an expression, outside of quotes, comments
// and braces; -1 when there is none.
func expressionEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\'', '`':
			i = quoteEnd(s, i)
		case '/':
			if strings.HasPrefix(s[i:], "/*") {
				j := strings.Index(s[i+2:], "*/")
				if j < 0 {
					return -1
				}
				i += j + 3
			}
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(s[i:], "}}") {
				return i
			}
		}
	}
	return -1
}

// quoteEnd returns the index of the quote that closes the one at i.
func quoteEnd(s string, i int) int {
	q := s[i]
	for i++; i < len(s) && s[i] != q; i++ {
		if s[i] == '\\' && q != '`' {
			i++
		}
	}
	return i
}
