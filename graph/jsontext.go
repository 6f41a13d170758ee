package graph

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string in double quotes.
func (p *jsonParser) text() (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			s := p.src[start:p.pos]
			if !utf8.Valid(s) {
				p.pos = start
				return "", errors.New("this text is not valid UTF-8")
			}
			p.pos++
			return string(s), nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", errors.New("a control character in text has to be escaped")
		default:
			p.pos++
		}
	}
	return "", errEnd
}

// escaped goes on reading a string that has a backslash.
func (p *jsonParser) escaped(start int) (string, error) {
	b := append([]byte(nil), p.src[start:p.pos]...)
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				p.pos = start
				return "", errors.New("this text is not valid UTF-8")
			}
			p.pos++
			return string(b), nil
		case c < 0x20:
			return "", errors.New("a control character in text has to be escaped")
		case c != '\\':
			b = append(b, c)
			p.pos++
		default:
			var err error
			if b, err = p.escape(b); err != nil {
				return "", err
			}
		}
	}
	return "", errEnd
}

// escape reads one escape sequence and appends what it means.
func (p *jsonParser) escape(b []byte) ([]byte, error) {
	if p.pos+1 >= len(p.src) {
		return nil, errEnd
	}
	c := p.src[p.pos+1]
	switch c {
	case '"', '\\', '/':
		b = append(b, c)
	case 'b':
		b = append(b, '\b')
	case 'f':
		b = append(b, '\f')
	case 'n':
		b = append(b, '\n')
	case 'r':
		b = append(b, '\r')
	case 't':
		b = append(b, '\t')
	case 'u':
		return p.unicode(b)
	default:
		return nil, fmt.Errorf(`\%c is not an escape of JSON`, c)
	}
	p.pos += 2
	return b, nil
}

func (p *jsonParser) unicode(b []byte) ([]byte, error) {
	r, ok := p.hex4(p.pos)
	if !ok {
		return nil, errors.New(`\u needs four hexadecimal digits`)
	}
	if !utf16.IsSurrogate(r) {
		p.pos += 6
		return utf8.AppendRune(b, r), nil
	}
	low, ok := p.hex4(p.pos + 6)
	pair := utf16.DecodeRune(r, low)
	if !ok || pair == utf8.RuneError {
		return nil, errors.New("half of a surrogate pair is not a character")
	}
	p.pos += 12
	return utf8.AppendRune(b, pair), nil
}

// hex4 reads \uXXXX at offset i.
func (p *jsonParser) hex4(i int) (rune, bool) {
	if i+6 > len(p.src) || p.src[i] != '\\' || p.src[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.src[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}
