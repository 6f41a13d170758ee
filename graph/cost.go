package graph

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// An expression can't be interrupted, so it pays as it goes: for every turn of a
// loop, every value it compares or copies, every 16 bytes of text it makes. The
// rewriter puts the payments in; maxCost is some tenths of a second.
const (
	maxCost       = 4 << 20
	bytesPerCost  = 16
	maxExpression = 8 << 10 // bytes of source
	maxNodes      = 2000    // of its syntax tree
)

var errCost = errors.New("the expression takes too long or makes too much; do this in an electron")

// budget is what is left for the expressions of one evaluation.
type budget struct {
	left int
	last *pattern // compiled for it
}

func newBudget() *budget { return &budget{left: maxCost} }

func (b *budget) take(n int) error {
	if b == nil {
		return nil
	}
	if n > b.left {
		b.left = 0
		return errCost
	}
	b.left -= n
	return nil
}

// takeValue pays for all of v.
func (b *budget) takeValue(v any) error {
	switch v := v.(type) {
	case string:
		return b.take(1 + len(v)/bytesPerCost)
	case []any:
		if err := b.take(1 + len(v)); err != nil {
			return err
		}
		for _, item := range v {
			if err := b.takeValue(item); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if err := b.take(1 + len(v)); err != nil {
			return err
		}
		for key, item := range v {
			if err := b.takeValue(key); err != nil {
				return err
			}
			if err := b.takeValue(item); err != nil {
				return err
			}
		}
		return nil
	case nil, bool, int, int64, float64:
		return b.take(1)
	}
	return b.takeOther(reflect.ValueOf(v))
}

// takeOther pays for the typed lists and mappings that builtin functions return.
func (b *budget) takeOther(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := b.takeValue(v.Index(i).Interface()); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := b.takeValue(it.Value().Interface()); err != nil {
				return err
			}
		}
	default:
	}
	return b.take(1)
}

// takeTop pays for the outermost list or text only.
func (b *budget) takeTop(v any) error {
	if s, ok := v.(string); ok {
		return b.take(1 + len(s)/bytesPerCost)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice || r.Kind() == reflect.Map {
		return b.take(1 + r.Len())
	}
	return b.take(1)
}

// normalize makes a JSON value of what an expression returned: integers are int64,
// lists []any, mappings map[string]any, instants and durations text. What is one
// already is not copied.
func normalize(v any, b *budget) (any, error) { return normalizeAt(v, b, 0) }

func normalizeAt(v any, b *budget, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	if err := b.take(1); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil, bool, string, int64:
		return v, nil
	case int:
		return int64(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("the result is %v, which JSON does not have", v)
		}
		return v, nil
	case []any:
		return normalizeList(v, b, depth)
	case map[string]any:
		return normalizeMap(v, b, depth)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case time.Duration:
		return v.String(), nil
	}
	return normalizeOther(reflect.ValueOf(v), b, depth)
}

func normalizeList(l []any, b *budget, depth int) (any, error) {
	out := l
	for i, item := range l {
		n, err := normalizeAt(item, b, depth+1)
		if err != nil {
			return nil, err
		}
		if same(n, item) {
			continue
		}
		if &out[0] == &l[0] {
			out = append([]any(nil), l...)
		}
		out[i] = n
	}
	if out == nil {
		out = []any{}
	}
	return out, nil
}

func normalizeMap(m map[string]any, b *budget, depth int) (any, error) {
	var changed map[string]any
	for k, item := range m {
		n, err := normalizeAt(item, b, depth+1)
		if err != nil {
			return nil, err
		}
		if same(n, item) {
			continue
		}
		if changed == nil {
			changed = map[string]any{}
		}
		changed[k] = n
	}
	if changed == nil {
		if m == nil {
			return map[string]any{}, nil
		}
		return m, nil
	}
	for k, item := range m {
		if _, ok := changed[k]; !ok {
			changed[k] = item
		}
	}
	return changed, nil
}

// same tells whether normalizing gave back what it got, without comparing contents.
func same(a, b any) bool {
	switch a := a.(type) {
	case []any:
		x, ok := b.([]any)
		return ok && len(a) == len(x) && (len(a) == 0 || &a[0] == &x[0]) && x != nil
	case map[string]any:
		x, ok := b.(map[string]any)
		return ok && x != nil && reflect.ValueOf(a).Pointer() == reflect.ValueOf(x).Pointer()
	}
	if f, ok := b.(float64); ok {
		g, ok := a.(float64)
		return ok && f == g
	}
	return a == b
}

func normalizeOther(v reflect.Value, b *budget, depth int) (any, error) {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		l := make([]any, v.Len())
		for i := range l {
			l[i] = v.Index(i).Interface()
		}
		return normalizeList(l, b, depth)
	case reflect.Map:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			key, err := mapKey(it.Key().Interface())
			if err != nil {
				return nil, err
			}
			if _, twice := m[key]; twice { // which of the two came last would be chance
				return nil, fmt.Errorf("the result has two keys that JSON can't tell apart, both are %s; make text or numbers of them first", quote(key))
			}
			m[key] = it.Value().Interface()
		}
		return normalizeMap(m, b, depth)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Float32:
		return normalizeAt(v.Float(), b, depth)
	default:
		return nil, fmt.Errorf("the result is a %s, which JSON does not have", v.Type())
	}
}

// mapKey is the key of a group: text as is, other scalars as compact JSON.
func mapKey(k any) (string, error) {
	if s, ok := k.(string); ok {
		return s, nil
	}
	n, err := normalize(k, nil)
	if err != nil {
		return "", err
	}
	return compact(n), nil
}
