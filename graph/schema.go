package graph

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// errRemote is what any reference out of the document gets.
var errRemote = errors.New("schemas outside the document are not fetched")

// noLoader fetches nothing.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errRemote }

func compileSchema(name string, doc map[string]any) (*jsonschema.Schema, error) {
	url := "latticed:///inputs/" + name
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "path", Validate: absolutePath})
	c.RegisterFormat(&jsonschema.Format{Name: "directory", Validate: absolutePath})
	if err := c.AddResource(url, doc); err != nil {
		return nil, err
	}
	return c.Compile(url)
}

// absolutePath is what `format: path` and `format: directory` ask of text. Whether
// it exists is not this package's business.
func absolutePath(v any) error {
	s, ok := v.(string)
	switch {
	case !ok:
		return nil
	case s == "":
		return errors.New("the path is empty")
	case strings.Contains(s, "\x00"):
		return errors.New("the path has a NUL character in it")
	case !path.IsAbs(s):
		return fmt.Errorf("the path %s is relative; give an absolute one", quote(s))
	}
	return nil
}

// schemaProblem says why a schema does not compile.
func (b *builder) schemaProblem(t *tree, at string, err error) {
	var invalid *jsonschema.SchemaValidationError
	var where *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &where) {
		for _, p := range explain(where, t.plain(), at) {
			b.problem(t, p.Path, CodeSchema, "%s", p.Message)
		}
		return
	}
	b.problem(t, at, CodeSchema, "not a JSON Schema: %v", err)
}

// check validates v and gives whole numbers of integer inputs the type int64.
func check(s *jsonschema.Schema, in Input, v any, at string) (any, []Problem) {
	err := s.Validate(v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		problems := explain(invalid, v, at)
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
		})
		return v, problems
	}
	if err != nil {
		return v, []Problem{{Path: at, Code: CodeInput, Message: err.Error()}}
	}
	if in.Type == "integer" {
		if n, ok := documentNumber(v, false); ok {
			v = n
		}
	}
	return v, nil
}

// explain lists the innermost reasons, each with the path of the value.
func explain(e *jsonschema.ValidationError, v any, at string) []Problem {
	alone := len(e.Causes) == 0
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains:
		alone = true // its causes contradict each other; the sum of them helps nobody
	}
	if alone {
		path, value := instance(at, v, e.InstanceLocation)
		return []Problem{{Path: path, Code: CodeInput, Message: reason(e, value)}}
	}
	var problems []Problem
	for _, cause := range e.Causes {
		problems = append(problems, explain(cause, v, at)...)
	}
	return problems
}

// instance finds the value at a location, and its path.
func instance(at string, v any, location []string) (string, any) {
	for _, token := range location {
		if l, ok := v.([]any); ok {
			i, _ := strconv.Atoi(token)
			at = item(at, i)
			if v = nil; i < len(l) {
				v = l[i]
			}
			continue
		}
		at = join(at, token)
		m, _ := v.(map[string]any)
		v = m[token]
	}
	return at, v
}

// reason is one sentence about the rule that v breaks.
func reason(e *jsonschema.ValidationError, v any) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = typeWord(w)
		}
		got := typeWord(k.Got)
		if k.Got == "number" {
			got = compact(v)
		}
		return fmt.Sprintf("%s is expected, not %s", strings.Join(want, " or "), got)
	case *kind.Enum:
		return enumReason(k)
	case *kind.Const:
		return fmt.Sprintf("%s is expected, not %s", compact(k.Want), compact(k.Got))
	case *kind.Format:
		if k.Want == "path" || k.Want == "directory" {
			return k.Err.Error()
		}
		if k.Want == "regex" {
			return fmt.Sprintf("%s is not a regular expression", compact(k.Got))
		}
		return fmt.Sprintf("%s is not of the format %s", compact(k.Got), k.Want)
	case *kind.Minimum:
		return fmt.Sprintf("%s is below the minimum %s", rational(k.Got), rational(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("%s is above the maximum %s", rational(k.Got), rational(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("%s is not above %s", rational(k.Got), rational(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("%s is not below %s", rational(k.Got), rational(k.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("%s is not a multiple of %s", rational(k.Got), rational(k.Want))
	}
	return sizeReason(e)
}

// rational prints a number of a schema or a value the way JSON does.
func rational(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return string(appendNumber(nil, f))
}

// sizeReason goes on with the rules about lengths and keys.
func sizeReason(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.MinLength:
		return fmt.Sprintf("the text has fewer than %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("the text has more than %d characters", k.Want)
	case *kind.Pattern:
		return fmt.Sprintf("%s does not match the pattern %s", quote(k.Got), k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("the list has fewer than %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("the list has more than %d items", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("items %d and %d of the list are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.Required:
		return "it lacks " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return "it may not have " + strings.Join(k.Properties, ", ")
	case *kind.FalseSchema:
		return "no value is allowed here"
	}
	if p := e.ErrorKind.KeywordPath(); len(p) > 0 {
		return "it does not fit " + strings.Join(p, ".") + " of its schema"
	}
	return "it does not fit its schema"
}

func enumReason(k *kind.Enum) string {
	words := make([]string, len(k.Want))
	texts := make([]string, 0, len(k.Want))
	for i, w := range k.Want {
		words[i] = compact(w)
		if s, ok := w.(string); ok {
			words[i] = s
			texts = append(texts, s)
		}
	}
	got, _ := k.Got.(string)
	return fmt.Sprintf("%s is not one of %s%s", compact(k.Got), strings.Join(words, ", "), didYouMean(got, texts))
}

// typeWord is the name of a JSON Schema type in a sentence.
func typeWord(t string) string {
	switch t {
	case "string":
		return "text"
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "boolean":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "a mapping"
	}
	return t
}
