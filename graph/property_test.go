package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCompareUTF16_is_the_order_of_units(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune{'a', 'b', 0x7f, 0x80, 0xd7ff, 0xe000, 0xfb33, 0xffff, 0x10000, 0x1f600, 0x10ffff}))
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		got := compareUTF16(a, b)
		if got < 0 != (want < 0) || got > 0 != (want > 0) {
			t.Fatalf("%+q %+q: %d, want %d", a, b, got, want)
		}
	})
}

func TestDecodeValue_reads_what_the_standard_library_writes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := jsonValues().Draw(t, "value")
		raw, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeValue(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		// Floats without a fraction come back as integers; the canonical form is the same.
		first, _ := Canonical(v)
		second, _ := Canonical(got)
		if !bytes.Equal(first, second) {
			t.Fatalf("%s became %s", first, second)
		}
	})
}

func TestDecodeValue_accepts_only_JSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(rapid.StringOf(rapid.RuneFrom([]rune(`{}[]",:0123.eE+-\untrfalse `))).Draw(t, "text"))
		if _, err := DecodeValue(raw); err == nil && !json.Valid(raw) {
			t.Fatalf("%s is not JSON", raw)
		}
	})
}

func TestParseDuration_reads_what_Go_prints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, int64(100*24*time.Hour)).Draw(t, "duration"))
		got, err := ParseDuration(want.String())
		if diff := (got - want).Abs(); err != nil || diff > time.Microsecond {
			t.Fatalf("%s: %s, %v", want, got, err)
		}
	})
}

// slowDistance is the definition.
func slowDistance(a, b string) int {
	if a == "" || b == "" {
		return len(a) + len(b)
	}
	cost := 1
	if a[0] == b[0] {
		cost = 0
	}
	d := min(slowDistance(a[1:], b)+1, slowDistance(a, b[1:])+1, slowDistance(a[1:], b[1:])+cost)
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		d = min(d, slowDistance(a[2:], b[2:])+1)
	}
	return d
}

func TestDistance_is_as_defined_up_to_the_limit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 6, -1)
		a, b, limit := word.Draw(t, "a"), word.Draw(t, "b"), rapid.IntRange(0, 6).Draw(t, "limit")
		want, got := slowDistance(a, b), distance(a, b, limit)
		if want <= limit && got != want || want > limit && got <= limit {
			t.Fatalf("%s %s: %d, want %d (limit %d)", a, b, got, want, limit)
		}
	})
}

// reaches tells whether a way of edges leads from one electron to another.
func reaches(edges map[int][]int, from, to int, seen map[int]bool) bool {
	for _, next := range edges[from] {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(edges, next, to, seen) {
				return true
			}
		}
	}
	return false
}

func TestParse_finds_a_cycle_exactly_when_there_is_one(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "electrons")
		edges := map[int][]int{}
		doc := "lattice: x\nelectrons:\n"
		for i := range n {
			var waits []string
			for j := range n {
				if rapid.IntRange(0, n).Draw(t, "edge") == 0 {
					edges[i] = append(edges[i], j)
					waits = append(waits, fmt.Sprintf("e%d", j))
				}
			}
			doc += fmt.Sprintf("  e%d: {run: [ls], wait_for: [%s]}\n", i, strings.Join(waits, ", "))
		}
		cyclic := false
		for i := range n {
			cyclic = cyclic || reaches(edges, i, i, map[int]bool{})
		}
		_, err := Parse([]byte(doc))
		if (err != nil) != cyclic {
			t.Fatalf("%v, cyclic %v\n%s", err, cyclic, doc)
		}
		var invalid *Invalid
		if !errors.As(err, &invalid) {
			return
		}
		for _, p := range invalid.Problems {
			checkCycle(t, p, edges)
		}
	})
}

// checkCycle follows the way that a message names.
func checkCycle(t *rapid.T, p Problem, edges map[int][]int) {
	if p.Code != CodeCycle {
		t.Fatalf("%v", p)
	}
	_, way, found := strings.Cut(p.Message, "cycle: ")
	if !found {
		way, found = strings.CutSuffix(p.Message, " needs itself")
		way += " → " + way
	}
	var last int
	for k, name := range strings.Split(way, " → ") {
		var at int
		if _, err := fmt.Sscanf(name, "e%d", &at); err != nil || !found {
			t.Fatalf("%s: %v", p.Message, err)
		}
		if k > 0 && !slices.Contains(edges[last], at) {
			t.Fatalf("%s: e%d does not need e%d", p.Message, last, at)
		}
		last = at
	}
}

func TestTemplate_text_without_expressions_is_itself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.RuneFrom([]rune("${}ab \n\"'é"))).Draw(t, "text")
		escaped := strings.ReplaceAll(s, "${{", "$${{")
		tpl, err := CompileTemplate(escaped, Env{})
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := tpl.Constant(); !ok || v != s {
			t.Fatalf("%q became %q", s, v)
		}
	})
}

func TestNormalize_changes_only_what_is_not_JSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := jsonValues().Draw(t, "value")
		got, err := normalize(v, newBudget())
		if err != nil {
			t.Fatal(err)
		}
		first, _ := Canonical(v)
		second, _ := Canonical(got)
		if !bytes.Equal(first, second) {
			t.Fatalf("%s became %s", first, second)
		}
	})
	deep := map[string]any{"a": []any{1, map[string]any{"b": []int{1, 2}, "c": map[int]string{3: "x"}, "d": "same"}}, "e": 2.5}
	got, err := normalize(deep, nil)
	want := map[string]any{"a": []any{int64(1), map[string]any{"b": []any{int64(1), int64(2)}, "c": map[string]any{"3": "x"}, "d": "same"}}, "e": 2.5}
	if diff := cmp.Diff(any(want), got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if deep["a"].([]any)[0] != 1 {
		t.Error("the value given was changed")
	}
}

func TestTemplate_one_expression_keeps_its_value_and_text_is_put_together(t *testing.T) {
	both, err := CompileTemplate([]any{"${{ x }}", "<${{ x }}|${{ y }}$${{ x }}>", map[string]any{"k": "${{ y }}"}}, Env{"x": Any, "y": Any})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		x, y := jsonValues().Draw(t, "x"), jsonValues().Draw(t, "y")
		got, err := both.Eval(map[string]any{"x": x, "y": y})
		want := []any{x, "<" + asText(x) + "|" + asText(y) + "${{ x }}>", map[string]any{"k": y}}
		if diff := cmp.Diff(any(want), got); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// asText is what a value is inside text.
func asText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := Canonical(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func TestLattice_the_kind_of_reference_decides_what_a_skipped_electron_takes_along(t *testing.T) {
	kinds := map[string]struct {
		spec string
		runs bool
	}{
		"by result":         {`args: {v: "${{ electrons.a.result }}"}`, false},
		"by file":           {`args: {v: "${{ electrons.a.files.f }}"}`, false},
		"by stdout in text": {`env: {V: "x ${{ electrons.a.stdout }}"}`, false},
		"by condition":      {`if: "${{ electrons.a.result == 1 }}"`, false},
		"?? is not enough":  {`args: {v: "${{ electrons.a.result ?? 1 }}"}`, false},
		"one of two":        {`args: {v: "${{ electrons.a?.result }}", w: "${{ electrons.a.result }}"}`, false},
		"optional":          {`args: {v: "${{ electrons.a?.result }}"}`, true},
		"optional deeper":   {`args: {v: "${{ electrons.a?.result.x.y }}"}`, true},
		"optional file":     {`args: {v: "${{ electrons.a?.files.f }}"}`, true},
		"in a condition":    {`if: "${{ electrons.a?.result == nil }}"`, true},
		"order":             {`wait_for: [a]`, true},
		"order and option":  {`wait_for: [a], args: {v: "${{ electrons.a?.result ?? 2 }}"}`, true},
		"order and data":    {`wait_for: [a], args: {v: "${{ electrons.a.result }}"}`, false},
	}
	for name, c := range kinds {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			l := mustParse(t, "lattice: x\nelectrons:\n  a: {run: [ls], if: false, outputs: {f: f}}\n  b: {run: [ls], "+c.spec+"}\n  c: {run: [ls], wait_for: [b]}\n  d: {run: [ls], args: {v: \"${{ electrons.b.result }}\"}}\n")
			p := NewProgress(l)
			ready, skipped := p.Skip(0, ReasonCondition)
			if c.runs {
				if !slices.Equal(ready, []int{1}) || len(skipped) != 0 {
					t.Fatalf("%v %v", ready, skipped)
				}
				s := Scope{Electrons: map[string]*Outcome{"a": nil}}
				if ok, err := l.Condition(1, s); err != nil || !ok {
					t.Errorf("%v %v", ok, err)
				}
				if _, err := l.Resolve(1, s); err != nil {
					t.Error(err)
				}
				return
			}
			want := []Skip{{1, Skipped, ReasonUpstreamSkipped}, {3, Skipped, ReasonUpstreamSkipped}}
			if diff := cmp.Diff(want, skipped); diff != "" || !slices.Equal(ready, []int{2}) {
				t.Errorf("%v\n%s", ready, diff)
			}
		})
	}
}
