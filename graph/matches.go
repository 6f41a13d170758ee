package graph

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// What a regular expression may have: the time of a match grows with its parts times
// the text, and its repetitions make many parts of few characters.
const (
	maxPattern      = 8 << 10 // bytes
	maxPatternParts = 10_000
	partsPerCost    = 16 // a character of the text that meets so many parts costs 1
)

// pattern is a compiled regular expression.
type pattern struct {
	re    *regexp.Regexp
	parts int
}

func compilePattern(s string) (*pattern, error) {
	if len(s) > maxPattern {
		return nil, fmt.Errorf("the pattern is longer than %d bytes", maxPattern)
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, err
	}
	parts := patternParts(tree)
	if parts > maxPatternParts {
		return nil, fmt.Errorf("the pattern %s has more than %d parts, repetitions counted", quote(s), maxPatternParts)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, err
	}
	return &pattern{re, parts}, nil
}

// patternParts counts what a pattern is when its repetitions are written out.
func patternParts(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += patternParts(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// matches is the operator: called with the budget, a text, and a *pattern or text. As
// in the library null matches nothing.
func matches(args ...any) (any, error) {
	b := args[0].(*budget)
	if args[1] == nil || args[2] == nil {
		return false, nil
	}
	s, ok := args[1].(string)
	if !ok {
		return nil, fmt.Errorf("matches takes text, not %s", describe(args[1]))
	}
	p, ok := args[2].(*pattern)
	if !ok {
		text, ok := args[2].(string)
		if !ok {
			return nil, fmt.Errorf("matches takes a pattern, which is text, not %s", describe(args[2]))
		}
		var err error
		if p, err = b.pattern(text); err != nil {
			return nil, err
		}
	}
	if err := b.take(1 + len(s)*p.parts/partsPerCost); err != nil {
		return nil, err
	}
	return p.re.MatchString(s), nil
}

// pattern compiles what is known at run time only; the last one is remembered, since
// a loop asks for the same again and again.
func (b *budget) pattern(s string) (*pattern, error) {
	if b.last != nil && b.last.re.String() == s {
		return b.last, nil
	}
	p, err := compilePattern(s)
	if err != nil {
		return nil, err
	}
	b.last = p
	const costOfPattern, costOfPart = 100, 8 // compiling takes as long as so many turns of a loop
	return p, b.take(costOfPattern + costOfPart*p.parts)
}
