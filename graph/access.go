package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// path is a chain such as electrons.a?.result.rows[0], evaluated by one call so that
// a missing key is an error that names it, and ?. and ?? can opt out.
type accessPath struct {
	root  string
	steps []accessStep
	// skipped: a null electron makes the whole chain null; so in `output`.
	skipped bool
}

type accessStep struct {
	key      any  // text or int when it stands in the source; nil: computed
	optional bool // ?. : null before it gives null, a key missing behind it too
	missing  bool // its key may be missing: ?. follows, or ?? takes care
}

// access is called with the *accessPath, the root and the computed keys.
func access(args ...any) (any, error) {
	p := args[0].(*accessPath)
	v, keys := args[1], args[2:]
	for i, s := range p.steps {
		key := s.key
		if key == nil {
			key, keys = keys[0], keys[1:]
		}
		if v == nil {
			if s.optional || s.missing || p.skipped && i == 1 {
				return nil, nil
			}
			return nil, p.nothing(i, key)
		}
		next, found, err := p.step(i, v, key)
		if err != nil {
			return nil, err
		}
		if !found && !s.optional && !s.missing {
			return nil, p.lacks(i, v, key)
		}
		v = next
	}
	return v, nil
}

func (p *accessPath) step(i int, v, key any) (next any, found bool, err error) {
	switch v := v.(type) {
	case map[string]any:
		name, ok := key.(string)
		if !ok {
			return nil, false, fmt.Errorf("a key of %s is text, not %s", p.text(i), describe(key))
		}
		next, found = v[name]
		return next, found, nil
	case map[any][]any: // of groupBy
		group, found := v[key]
		if n, ok := index(key); ok && !found {
			// Literals are int, values int64.
			group, found = v[int64(n)]
		}
		if !found {
			return nil, false, nil
		}
		return group, true, nil
	case nil, bool, int, int64, float64, string:
		return nil, false, fmt.Errorf("%s is %s and has no %s", p.text(i), describe(v), showKey(key))
	}
	l, err := list(p.text(i), v)
	if err != nil {
		return nil, false, err
	}
	n, ok := index(key)
	if !ok {
		return nil, false, fmt.Errorf("%s is a list; its items have numbers, not %s", p.text(i), showKey(key))
	}
	if n < 0 {
		n += len(l)
	}
	if n < 0 || n >= len(l) {
		return nil, false, nil
	}
	return l[n], true, nil
}

func index(key any) (int, bool) {
	switch k := key.(type) {
	case int:
		return k, true
	case int64:
		return int(k), true
	case float64:
		return int(k), k == float64(int(k))
	}
	return 0, false
}

func (p *accessPath) nothing(i int, key any) error {
	if p.root == "electrons" && i == 1 {
		return fmt.Errorf("the electron %s was skipped; write %s?.%v for null", p.steps[0].key, p.text(i), key)
	}
	return fmt.Errorf("%s is null and has no %s; write ?. to get null", p.text(i), showKey(key))
}

func (p *accessPath) lacks(i int, v, key any) error {
	switch v := v.(type) {
	case map[string]any:
		name, _ := key.(string)
		hint := didYouMean(name, slices.Sorted(maps.Keys(v)))
		if hint == "" {
			hint = "; write ?. or ?? if it may be missing"
		}
		return fmt.Errorf("%s has no %s%s", p.text(i), showKey(key), hint)
	case []any:
		return fmt.Errorf("%s has %d items, there is no %v", p.text(i), len(v), showKey(key))
	}
	return fmt.Errorf("%s has no %s", p.text(i), showKey(key))
}

func showKey(key any) string {
	if s, ok := key.(string); ok {
		return "key " + quote(s)
	}
	return "item " + fmt.Sprint(key)
}

// text spells the chain before step n.
func (p *accessPath) text(n int) string {
	var b strings.Builder
	b.WriteString(p.root)
	for _, s := range p.steps[:n] {
		switch key := s.key.(type) {
		case string:
			if plainKey(key) {
				b.WriteString("." + key)
			} else {
				b.WriteString(join("", key))
			}
		case int:
			b.WriteString(item("", key))
		default:
			b.WriteString("[…]")
		}
	}
	return b.String()
}
