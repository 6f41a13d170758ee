package graph

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t testing.TB, doc string) *Lattice {
	t.Helper()
	l, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const bindDoc = `
lattice: xrd
inputs:
  image: {type: string, format: path}
  dark: {type: [string, "null"], format: path, default: null}
  out: {type: string, format: directory, default: /srv/out}
  bins: {type: integer, minimum: 16, default: 1024}
  gain: {type: number, exclusiveMinimum: 0, maximum: 9.5, multipleOf: 0.5, default: 1}
  mode: {enum: [fast, exact, 3], default: fast}
  when: {type: string, format: date, default: "2024-01-31"}
  tags: {type: array, items: {type: string, minLength: 2, maxLength: 4, pattern: "^[a-z]+$"}, minItems: 1, maxItems: 3, uniqueItems: true, default: [ab]}
  roi: {type: object, properties: {x: {type: integer}, y: {type: integer}}, required: [x], additionalProperties: false, default: {x: 1}}
  any: {default: null}
  either: {anyOf: [{type: integer}, {type: string, minLength: 3}], default: 1}
  fixed: {const: 7, default: 7}
electrons: {a: {run: [ls]}}
`

func TestBind_fills_in_defaults(t *testing.T) {
	l := mustParse(t, bindDoc)
	given := map[string]any{"image": "/data/a b.tif", "bins": 64.0, "any": map[string]any{"k": []any{1}}}
	got, err := l.Bind(given)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"image": "/data/a b.tif", "dark": nil, "out": "/srv/out", "bins": int64(64), "gain": int64(1), "mode": "fast", "when": "2024-01-31",
		"tags": []any{"ab"}, "roi": map[string]any{"x": int64(1)}, "any": map[string]any{"k": []any{int64(1)}}, "either": int64(1), "fixed": int64(7),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if given["bins"] != 64.0 || len(given) != 3 {
		t.Errorf("the given map was changed: %v", given)
	}
}

func TestBind_lists_every_problem(t *testing.T) {
	l := mustParse(t, bindDoc)
	for name, c := range map[string]struct {
		in   map[string]any
		want string
	}{
		"missing":       {nil, "inputs.image: a value (an absolute path) is missing, and it has no default"},
		"relative path": {map[string]any{"image": "a.tif"}, `inputs.image: the path "a.tif" is relative; give an absolute one`},
		"empty path":    {map[string]any{"image": ""}, "inputs.image: the path is empty"},
		"NUL in path":   {map[string]any{"image": "/a\x00b"}, "inputs.image: the path has a NUL character in it"},
		"several": {
			map[string]any{"imag": "/a", "bins": 3, "gain": "high", "mode": "fats", "zzz": 1},
			`inputs.imag: the lattice xrd has no input "imag"; did you mean image?
inputs.zzz: the lattice xrd has no input "zzz"; it has any, bins, dark, either, fixed, gain, image, mode, out, roi, tags, when
inputs.bins: 3 is below the minimum 16
inputs.gain: a number is expected, not text
inputs.image: a value (an absolute path) is missing, and it has no default
inputs.mode: "fats" is not one of fast, exact, 3; did you mean fast?`,
		},
		"types": {
			map[string]any{"image": 5, "bins": 16.5, "roi": []any{}, "dark": true},
			`inputs.bins: a whole number is expected, not 16.5
inputs.dark: null or text is expected, not true or false
inputs.image: text is expected, not 5
inputs.roi: a mapping is expected, not a list`,
		},
		"numbers": {
			map[string]any{"image": "/a", "gain": 9.75},
			"inputs.gain: 9.75 is above the maximum 9.5\ninputs.gain: 9.75 is not a multiple of 0.5",
		},
		"number bound": {map[string]any{"image": "/a", "gain": 0}, "inputs.gain: 0 is not above 0"},
		"inside lists": {
			map[string]any{"image": "/a", "tags": []any{"ab", "X", "abcde", "ab"}},
			`inputs.tags: items 0 and 3 of the list are equal
inputs.tags: the list has more than 3 items
inputs.tags[1]: "X" does not match the pattern ^[a-z]+$
inputs.tags[1]: the text has fewer than 2 characters
inputs.tags[2]: the text has more than 4 characters`,
		},
		"empty list": {map[string]any{"image": "/a", "tags": []any{}}, "inputs.tags: the list has fewer than 1 items"},
		"inside mappings": {
			map[string]any{"image": "/a", "roi": map[string]any{"y": "1", "z": 1}},
			`inputs.roi: it lacks x
inputs.roi: it may not have z
inputs.roi.y: a whole number is expected, not text`,
		},
		"any of":   {map[string]any{"image": "/a", "either": "x"}, "inputs.either: it does not fit anyOf of its schema"},
		"constant": {map[string]any{"image": "/a", "fixed": 8}, "inputs.fixed: 7 is expected, not 8"},
		"format":   {map[string]any{"image": "/a", "when": "31.1.2024"}, `inputs.when: "31.1.2024" is not of the format date`},
		"not JSON": {map[string]any{"image": "/a", "any": struct{}{}}, "inputs.any: the result is a struct {}, which JSON does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.Bind(c.in)
			if err == nil {
				t.Fatal("an error is expected")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBind_without_inputs(t *testing.T) {
	l := mustParse(t, "lattice: x\nelectrons: {a: {run: [ls]}}\n")
	if got, err := l.Bind(nil); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
	want := `inputs.a: the lattice x has no input "a"; it has none`
	if _, err := l.Bind(map[string]any{"a": 1}); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}
