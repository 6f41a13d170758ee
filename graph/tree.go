package graph

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// tree is a JSON value with the positions of its source text.
type tree struct {
	kind    treeKind
	value   any // bool, int64, float64 or string
	members []member
	items   []*tree
	pos     pos
}

type member struct {
	key   string
	pos   pos
	value *tree
}

// pos is where something stands: line and column, or while line is 0 the byte offset.
type pos struct {
	line, column, offset int
}

type treeKind uint8

const (
	kindNull treeKind = iota
	kindBool
	kindNumber
	kindText
	kindList
	kindMap
)

func (k treeKind) String() string {
	switch k {
	case kindNull:
		return "null"
	case kindBool:
		return "true or false"
	case kindNumber:
		return "a number"
	case kindText:
		return "text"
	case kindList:
		return "a list"
	case kindMap:
		return "a mapping"
	}
	return "nothing"
}

// get returns the value of a key, or nil.
func (t *tree) get(key string) *tree {
	for i := range t.members {
		if t.members[i].key == key {
			return t.members[i].value
		}
	}
	return nil
}

// text returns the value when it is text.
func (t *tree) text() (string, bool) {
	s, ok := t.value.(string)
	return s, ok && t.kind == kindText
}

// plain drops the positions.
func (t *tree) plain() any {
	switch t.kind {
	case kindList:
		l := make([]any, len(t.items))
		for i, item := range t.items {
			l[i] = item.plain()
		}
		return l
	case kindMap:
		m := make(map[string]any, len(t.members))
		for _, mem := range t.members {
			m[mem.key] = mem.value.plain()
		}
		return m
	case kindNull, kindBool, kindNumber, kindText:
	}
	return t.value
}

// treeOf gives a plain value the shape of a tree, without positions. Keys come in
// order, so that problems do too.
func treeOf(v any) *tree {
	switch v := v.(type) {
	case nil:
		return &tree{kind: kindNull}
	case bool:
		return &tree{kind: kindBool, value: v}
	case string:
		return &tree{kind: kindText, value: v}
	case []any:
		t := &tree{kind: kindList, items: make([]*tree, len(v))}
		for i, item := range v {
			t.items[i] = treeOf(item)
		}
		return t
	case map[string]any:
		t := &tree{kind: kindMap}
		for k, item := range v {
			t.members = append(t.members, member{key: k, value: treeOf(item)})
		}
		slices.SortFunc(t.members, func(a, b member) int { return compareUTF16(a.key, b.key) })
		return t
	case int:
		return &tree{kind: kindNumber, value: int64(v)}
	}
	return &tree{kind: kindNumber, value: v}
}

// documentNumber makes 1.0 and 1 the same number, as they are in canonical form,
// and tells whether an integer literal is within what every reader keeps exactly.
func documentNumber(v any, integer bool) (any, bool) {
	switch v := v.(type) {
	case int64:
		return v, v <= maxSafe && v >= -maxSafe
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= maxSafe {
			return int64(v), true
		}
		return v, !integer
	}
	return v, true
}

// plainKey is a key that needs no quotes in a path.
func plainKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return key != ""
}

// join extends a document path by a key: electrons.plot, include["a b.py"].
func join(path, key string) string {
	if !plainKey(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// item extends a document path by a position in a list.
func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

var (
	nameRE  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`) })
	titleRE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) })
)

// ValidName tells whether s can name an electron, an input or an output.
func ValidName(s string) bool { return nameRE().MatchString(s) }

// ValidTitle tells whether s can name a lattice, a trigger or an executor.
func ValidTitle(s string) bool { return titleRE().MatchString(s) }

func badName(what, s string) string {
	return fmt.Sprintf("%s is no name for %s: a letter or _, then up to 63 letters, digits or _", quote(s), what)
}

func badTitle(what, s string) string {
	return fmt.Sprintf("%s is no name for %s: a letter or digit, then up to 63 letters, digits, . _ or -", quote(s), what)
}
