package triggers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// Setting is a field of a trigger with the value that counts and its origin.
type Setting struct {
	Field string `json:"field"`
	Value any    `json:"value"`
	From  string `json:"from"` // "trigger", "default", or what it was taken over from
}

// Where settings come from.
const (
	FromTrigger = "trigger"
	FromDefault = "default"
)

// Fields reads a JSON object strictly: every field that is asked for is known, the
// rest are problems. A wrong field is noted and answered with its default, so that
// one pass finds everything that is wrong.
type Fields struct {
	prefix string
	raw    map[string]any
	asked  []string
	out    *findings
}

type findings struct {
	problems []graph.Problem
	settings []Setting
}

func newFields(raw map[string]any) *Fields { return &Fields{raw: raw, out: &findings{}} }

// Refuse notes a problem with a field.
func (f *Fields) Refuse(field, code, format string, args ...any) {
	f.out.problems = append(f.out.problems, graph.Problem{Path: f.prefix + field, Code: code, Message: fmt.Sprintf(format, args...)})
}

// Has tells whether the field was given; null counts as absent.
func (f *Fields) Has(field string) bool { return f.raw[field] != nil }

// Alias marks a field as known without reading it: it has no default of its own.
func (f *Fields) Alias(field string) { f.take(field) }

// take marks a field as known and returns what was given.
func (f *Fields) take(field string) (any, bool) {
	if !slices.Contains(f.asked, field) {
		f.asked = append(f.asked, field)
	}
	v := f.raw[field]
	return v, v != nil
}

func (f *Fields) settle(field string, value any, given bool) {
	from := FromDefault
	if given {
		from = FromTrigger
	}
	f.Set(field, value, from)
}

// Set notes the value that counts for a field.
func (f *Fields) Set(field string, value any, from string) {
	f.out.settings = slices.DeleteFunc(f.out.settings, func(s Setting) bool { return s.Field == f.prefix+field })
	f.out.settings = append(f.out.settings, Setting{Field: f.prefix + field, Value: value, From: from})
}

// Text reads a text.
func (f *Fields) Text(field, byDefault string) string {
	v, given := f.take(field)
	if !given {
		f.settle(field, byDefault, false)
		return byDefault
	}
	s, ok := v.(string)
	if !ok {
		f.Refuse(field, graph.CodeWrongType, "must be text, not %s", describe(v))
		return byDefault
	}
	f.settle(field, s, true)
	return s
}

// Value reads a value of any type.
func (f *Fields) Value(field string, byDefault any) any {
	v, given := f.take(field)
	if !given {
		v = byDefault
	}
	f.settle(field, v, given)
	return v
}

// Required reads a text that has to be there and not empty.
func (f *Fields) Required(field, why string) string {
	v, given := f.take(field)
	if s, ok := v.(string); !given || ok && s == "" {
		f.Refuse(field, graph.CodeMissing, "is missing: %s", why)
		return ""
	}
	return f.Text(field, "")
}

// Bool reads true or false.
func (f *Fields) Bool(field string, byDefault bool) bool {
	v, given := f.take(field)
	b, ok := v.(bool)
	switch {
	case !given:
		b = byDefault
	case !ok:
		f.Refuse(field, graph.CodeWrongType, "must be true or false, not %s", describe(v))
		return byDefault
	}
	f.settle(field, b, given)
	return b
}

// Int reads a whole number between two bounds.
func (f *Fields) Int(field string, byDefault, low, high int64) int64 {
	v, given := f.take(field)
	if !given {
		f.settle(field, byDefault, false)
		return byDefault
	}
	n, ok := v.(int64)
	if !ok {
		f.Refuse(field, graph.CodeWrongType, "must be a whole number, not %s", describe(v))
		return byDefault
	}
	if n < low || n > high {
		f.Refuse(field, graph.CodeBadValue, "must be between %d and %d, not %d", low, high, n)
		return byDefault
	}
	f.settle(field, n, true)
	return n
}

// Duration reads a duration of at least low.
func (f *Fields) Duration(field string, byDefault, low time.Duration) time.Duration {
	v, given := f.take(field)
	if !given {
		f.settle(field, graph.Span(byDefault), false)
		return byDefault
	}
	d, err := graph.ParseDuration(v)
	switch {
	case err != nil:
		f.Refuse(field, graph.CodeBadValue, "%v", err)
		return byDefault
	case d < low:
		f.Refuse(field, graph.CodeBadValue, "must be at least %s, not %s", graph.Span(low), graph.Span(d))
		return byDefault
	}
	f.settle(field, graph.Span(d), true)
	return d
}

// expectation reads a duration of a second or more; 0 when it is absent.
func (f *Fields) expectation(field string) time.Duration {
	if f.Has(field) {
		return f.Duration(field, 0, time.Second)
	}
	f.take(field)
	f.settle(field, nil, false)
	return 0
}

// Size reads an amount of bytes.
func (f *Fields) Size(field string, byDefault int64) int64 {
	v, given := f.take(field)
	if !given {
		f.settle(field, byDefault, false)
		return byDefault
	}
	n, err := graph.ParseSize(v)
	if err != nil {
		f.Refuse(field, graph.CodeBadValue, "%v", err)
		return byDefault
	}
	f.settle(field, n, true)
	return n
}

// OneOf reads one of a few words.
func (f *Fields) OneOf(field, byDefault string, words ...string) string {
	v, given := f.take(field)
	s, ok := v.(string)
	switch {
	case !given:
		s = byDefault
	case !ok || !slices.Contains(words, s):
		f.Refuse(field, graph.CodeBadValue, "must be one of %s, not %s%s", strings.Join(words, ", "), show(v), didYouMean(s, words))
		return byDefault
	}
	f.settle(field, s, given)
	return s
}

// Words reads a list of words; a single one may stand alone. No words: any are allowed.
func (f *Fields) Words(field string, byDefault []string, words ...string) []string {
	v, given := f.take(field)
	if !given {
		f.settle(field, byDefault, false)
		return byDefault
	}
	list, ok := v.([]any)
	if s, alone := v.(string); alone {
		list, ok = []any{s}, true
	}
	if !ok {
		f.Refuse(field, graph.CodeWrongType, "must be a list of texts, not %s", describe(v))
		return byDefault
	}
	found := make([]string, 0, len(list))
	for i, item := range list {
		s, ok := item.(string)
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case !ok:
			f.Refuse(at, graph.CodeWrongType, "must be text, not %s", describe(item))
		case len(words) > 0 && !slices.Contains(words, s):
			f.Refuse(at, graph.CodeBadValue, "must be one of %s, not %s%s", strings.Join(words, ", "), show(s), didYouMean(s, words))
		case !slices.Contains(found, s):
			found = append(found, s)
		}
	}
	f.settle(field, found, true)
	return found
}

// Object reads a nested object; nil when absent.
func (f *Fields) Object(field string) map[string]any {
	v, given := f.take(field)
	m, ok := v.(map[string]any)
	if given && !ok {
		f.Refuse(field, graph.CodeWrongType, "must be an object, not %s", describe(v))
	}
	return m
}

// sub reads a nested object strictly.
func (f *Fields) sub(field string) *Fields {
	return &Fields{prefix: f.prefix + field + ".", raw: f.Object(field), out: f.out}
}

// Nested reads a nested object strictly: fields that read does not ask for are refused.
// An absent one is read too, as if it were empty.
func (f *Fields) Nested(field string, read func(*Fields)) {
	in := f.sub(field)
	read(in)
	in.rest()
}

// rest refuses every field that nobody asked for.
func (f *Fields) rest() {
	for _, field := range slices.Sorted(maps.Keys(f.raw)) {
		if !slices.Contains(f.asked, field) {
			f.Refuse(field, graph.CodeUnknownKey, "unknown field %s%s", show(field), didYouMean(field, f.asked))
		}
	}
}

// err returns everything that was refused, or nil.
func (f *Fields) err() error {
	if len(f.out.problems) == 0 {
		return nil
	}
	return &graph.Invalid{Problems: f.out.problems}
}
