package graph

import (
	"cmp"
	"fmt"
	"slices"
)

// sortedKey is a key of a mapping, and the text it is ordered by.
type sortedKey struct {
	key  any
	text string
}

// sortedKeys are the keys of a mapping in order: two evaluations have to agree, which
// the library's own functions, in Go's order of maps, do not.
func sortedKeys(name string, v any) ([]sortedKey, func(key any) any, error) {
	var keys []sortedKey
	switch m := v.(type) {
	case map[string]any:
		for k := range m {
			keys = append(keys, sortedKey{k, k})
		}
		slices.SortFunc(keys, bySortedKey)
		return keys, func(key any) any { return m[key.(string)] }, nil
	case map[any][]any: // of groupBy
		for k := range m {
			text, err := mapKey(k)
			if err != nil {
				return nil, nil, err
			}
			keys = append(keys, sortedKey{k, text})
		}
		slices.SortFunc(keys, bySortedKey)
		return keys, func(key any) any { return m[key] }, nil
	}
	return nil, nil, fmt.Errorf("%s takes a mapping, not %s", name, describe(v))
}

// bySortedKey orders as Canonical does; groups of 1 and of "1" by their types.
func bySortedKey(a, b sortedKey) int {
	return cmp.Or(compareUTF16(a.text, b.text), cmp.Compare(fmt.Sprintf("%T", a.key), fmt.Sprintf("%T", b.key)))
}

func keysOf(args ...any) (any, error) {
	return eachKey(ownKeys, args[1], func(key, _ any) any { return key })
}

func valuesOf(args ...any) (any, error) {
	return eachKey(ownValues, args[1], func(_, value any) any { return value })
}

func pairsOf(args ...any) (any, error) {
	return eachKey(ownToPairs, args[1], func(key, value any) any { return []any{key, value} })
}

func eachKey(name string, v any, item func(key, value any) any) (any, error) {
	keys, value, err := sortedKeys(name, v)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(keys))
	for i, k := range keys {
		out[i] = item(k.key, value(k.key))
	}
	return out, nil
}

// mappingOf is fromPairs. Its keys are text, as those of every JSON mapping.
func mappingOf(args ...any) (any, error) {
	pairs, err := list(ownFromPairs, args[1])
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(pairs))
	for i, p := range pairs {
		pair, err := list(ownFromPairs, p)
		if err != nil || len(pair) != 2 {
			return nil, fmt.Errorf("fromPairs takes a list of pairs [key, value]; item %d is none", i)
		}
		key, err := mapKey(pair[0])
		if err != nil {
			return nil, err
		}
		m[key] = pair[1]
	}
	return m, nil
}
