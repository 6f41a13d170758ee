package graph

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
)

// The functions that the rewriter calls have names that no source text can spell.
const (
	hidden       = "\x00"
	hidBudget    = hidden + "budget"
	hidAccess    = hidden + "access"
	hidTick      = hidden + "tick"
	hidPayTop    = hidden + "top"
	hidPayAll    = hidden + "all"
	hidMatches   = hidden + "matches"
	maxMadeOf    = 8 << 20 // bytes of text that one call may make
	ownJoin      = "join"
	ownReplace   = "replace"
	ownToJSON    = "toJSON"
	ownFromRaw   = "fromJSON"
	ownUniq      = "uniq"
	ownString    = "string"
	ownKeys      = "keys"
	ownValues    = "values"
	ownToPairs   = "toPairs"
	ownFromPairs = "fromPairs"
	ownInt       = "int"
	ownSplit     = "split"
	ownSplitAt   = "splitAfter"
)

// disabledBuiltins are not available: two runs with the same values have to agree,
// nothing may read the machine, and repeat makes much of little.
func disabledBuiltins() []string { return []string{"now", "timezone", "repeat"} }

// functions are those in place of builtins that can make too much, that lose
// integers or that answer in no order, and the hidden ones. The budget comes first.
func functions() conf.FunctionsTable {
	table := conf.FunctionsTable{}
	add := func(name string, fn func(args ...any) (any, error), types ...any) {
		f := &builtin.Function{Name: name, Func: fn}
		for _, t := range types {
			f.Types = append(f.Types, reflect.TypeOf(t))
		}
		table[name] = f
		table[hidden+name] = &builtin.Function{Name: hidden + name, Func: fn}
	}
	add(ownJoin, joinTexts, func(any) string { return "" }, func(any, string) string { return "" })
	add(ownReplace, replaceText, func(string, string, string) string { return "" }, func(string, string, string, int) string { return "" })
	add(ownToJSON, toJSON, func(any) string { return "" })
	add(ownFromRaw, fromJSON, func(string) any { return nil })
	add(ownUniq, uniq, func(any) []any { return nil })
	add(ownString, toText, func(any) string { return "" })
	add(ownInt, toInteger, func(string) int { return 0 }, func(float64) int { return 0 }, func(int) int { return 0 }, func(int64) int { return 0 })
	add(ownFromPairs, mappingOf, func([]any) map[string]any { return nil })
	for name, fn := range map[string]func(args ...any) (any, error){ownKeys: keysOf, ownValues: valuesOf, ownToPairs: pairsOf} {
		add(name, fn, func(map[any][]any) []any { return nil }, func(map[string]any) []any { return nil })
	}
	for name, fn := range map[string]func(s, separator string, n int) []string{ownSplit: strings.SplitN, ownSplitAt: strings.SplitAfterN} {
		add(name, splitText(name, fn), func(string, string) []any { return nil }, func(string, string, int) []any { return nil })
	}
	for name, fn := range map[string]func(args ...any) (any, error){
		hidAccess: access, hidTick: tick, hidPayTop: payTop, hidPayAll: payAll, hidMatches: matches,
	} {
		table[name] = &builtin.Function{Name: name, Func: fn}
	}
	return table
}

// tick pays for one turn of a loop.
func tick(args ...any) (any, error) { return args[1], args[0].(*budget).take(1) }

// payTop pays for the outermost list or text of a value and hands it on.
func payTop(args ...any) (any, error) { return args[1], args[0].(*budget).takeTop(args[1]) }

// payAll pays for all of a value and hands it on.
func payAll(args ...any) (any, error) { return args[1], args[0].(*budget).takeValue(args[1]) }

// list makes a []any of any list.
func list(name string, v any) ([]any, error) {
	if l, ok := v.([]any); ok {
		return l, nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, fmt.Errorf("%s takes a list, not %s", name, describe(v))
	}
	l := make([]any, r.Len())
	for i := range l {
		l[i] = r.Index(i).Interface()
	}
	return l, nil
}

func joinTexts(args ...any) (any, error) {
	l, err := list(ownJoin, args[1])
	if err != nil {
		return nil, err
	}
	separator := ""
	if len(args) > 2 {
		separator, _ = args[2].(string)
	}
	texts, size := make([]string, len(l)), 0
	for i, v := range l {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("join takes a list of text, item %d is %s", i, describe(v))
		}
		texts[i] = s
		size += len(s) + len(separator)
	}
	if err := made(args[0], size); err != nil {
		return nil, err
	}
	return strings.Join(texts, separator), nil
}

func replaceText(args ...any) (any, error) {
	var s [3]string
	for i := range s {
		text, ok := args[i+1].(string)
		if !ok {
			return nil, fmt.Errorf("replace takes text, not %s", describe(args[i+1]))
		}
		s[i] = text
	}
	n := strings.Count(s[0], s[1])
	if len(args) > 4 {
		if limit, ok := args[4].(int); ok && limit >= 0 {
			n = min(n, limit)
		}
	}
	if err := made(args[0], len(s[0])+n*len(s[2])); err != nil {
		return nil, err
	}
	return strings.Replace(s[0], s[1], s[2], n), nil
}

// made pays for text before it is made.
func made(b any, size int) error {
	if size > maxMadeOf {
		return errCost
	}
	return b.(*budget).take(1 + size/bytesPerCost)
}

// toText is what a value becomes inside text.
func toText(args ...any) (any, error) {
	if s, ok := args[1].(string); ok {
		return s, nil
	}
	return toJSON(args...)
}

func toJSON(args ...any) (any, error) {
	b := args[0].(*budget)
	if err := b.takeValue(args[1]); err != nil {
		return nil, err
	}
	v, err := normalize(args[1], b)
	if err != nil {
		return nil, err
	}
	raw, err := Canonical(v)
	return string(raw), err
}

func fromJSON(args ...any) (any, error) {
	s, ok := args[1].(string)
	if !ok {
		return nil, fmt.Errorf("fromJSON takes text, not %s", describe(args[1]))
	}
	if err := made(args[0], len(s)*bytesPerCost/2); err != nil {
		return nil, err
	}
	v, err := DecodeValue([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("fromJSON: %w", err)
	}
	return v, nil
}

func uniq(args ...any) (any, error) {
	l, err := list(ownUniq, args[1])
	if err != nil {
		return nil, err
	}
	b := args[0].(*budget)
	if err := b.takeValue(l); err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(l))
	out := make([]any, 0, len(l))
	for _, v := range l {
		n, err := normalize(v, b)
		if err != nil {
			return nil, err
		}
		key, err := Canonical(n)
		if err != nil {
			return nil, err
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, v)
		}
	}
	return out, nil
}

// splitText cuts text into a list, after it has paid for the items.
func splitText(name string, split func(s, separator string, n int) []string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		s, ok := args[1].(string)
		separator, both := args[2].(string)
		if !ok || !both {
			return nil, fmt.Errorf("%s takes text and a separator, which is text, not %s and %s", name, describe(args[1]), describe(args[2]))
		}
		limit := -1
		if len(args) > 3 {
			n, ok := index(args[3])
			if !ok {
				return nil, fmt.Errorf("%s makes at most so many items as a whole number says, not %s", name, describe(args[3]))
			}
			limit = n
		}
		const costOfItem = 4 // 64 bytes
		n := strings.Count(s, separator) + 1
		if limit >= 0 {
			n = min(n, limit)
		}
		if err := args[0].(*budget).take(n * costOfItem); err != nil {
			return nil, err
		}
		texts := split(s, separator, limit)
		l := make([]any, len(texts))
		for i, text := range texts {
			l[i] = text
		}
		return l, nil
	}
}

// toInteger drops a fraction and reads text.
func toInteger(args ...any) (any, error) {
	switch v := args[1].(type) {
	case int:
		return v, nil
	case int64:
		return int(v), nil
	case float64:
		if v >= -1<<63 && v < 1<<63 {
			return int(v), nil
		}
		return nil, fmt.Errorf("%s is beyond what an integer holds", compact(v))
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("%s is beyond what an integer holds", quote(v))
		}
		if err != nil {
			return nil, fmt.Errorf("%s is not a whole number", quote(v))
		}
		return int(n), nil
	}
	return nil, fmt.Errorf("int takes a number or text, not %s", describe(args[1]))
}
