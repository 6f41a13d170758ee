package graph

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func gridOf(t testing.TB, text string) []Axis {
	t.Helper()
	grid, err := DecodeGrid([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return grid
}

func TestSweep_order(t *testing.T) {
	all := func(s Sweep) string {
		var out []string
		for i, v := range s.All() {
			out = append(out, fmt.Sprintf("%d:%s", i, s.said(v)))
		}
		return strings.Join(out, ", ")
	}
	list := []map[string]any{{"img": "x"}, {"img": "y", "k": int64(1)}}
	for _, test := range []struct {
		s    Sweep
		want string
	}{
		{Sweep{Grid: gridOf(t, `{"b": [1, 2], "a": [8, 9]}`)}, `0:a=8 b=1, 1:a=9 b=1, 2:a=8 b=2, 3:a=9 b=2`}, // as written, the last fastest
		{Sweep{List: list}, `0:img="x", 1:img="y" k=1`},
		{Sweep{Grid: gridOf(t, `{"b": [1, 2]}`), List: list}, `0:b=1 img="x", 1:b=2 img="x", 2:b=1 img="y" k=1, 3:b=2 img="y" k=1`},
		{Sweep{Grid: gridOf(t, `{"b": []}`)}, ``},
		{Sweep{List: []map[string]any{}}, ``},
	} {
		if got := all(test.s); got != test.want {
			t.Errorf("%+v\n got %s\nwant %s", test.s, got, test.want)
		}
	}
}

func TestSweep_is_the_product(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Sweep{}
		for i := range rapid.IntRange(0, 3).Draw(t, "axes") {
			a := Axis{Input: fmt.Sprintf("g%d", i)}
			for v := range rapid.IntRange(1, 4).Draw(t, "values") {
				a.Values = append(a.Values, int64(v))
			}
			s.Grid = append(s.Grid, a)
		}
		rows := rapid.IntRange(0, 3).Draw(t, "rows")
		for i := range rows {
			s.List = append(s.List, map[string]any{"l": int64(i)})
		}
		seen := map[string]bool{}
		for i, v := range s.All() {
			if i != len(seen) {
				t.Fatalf("%d after %d", i, len(seen))
			}
			seen[s.said(v)] = true
			for name, value := range v { // what place says leads to the value
				var x, y int
				switch path := s.place(i, name); {
				case strings.HasPrefix(path, "grid."):
					if _, err := fmt.Sscanf(path, "grid.g%d[%d]", &x, &y); err != nil || s.Grid[x].Values[y] != value {
						t.Fatalf("%s is not %v: %v", path, value, err)
					}
				default:
					if _, err := fmt.Sscanf(path, "list[%d].l", &x); err != nil || s.List[x]["l"] != value {
						t.Fatalf("%s is not %v: %v", path, value, err)
					}
				}
			}
		}
		if want := s.Count(); len(seen) != want {
			t.Fatalf("%d of %d", len(seen), want)
		}
	})
}

func TestSweep_check(t *testing.T) {
	long := strings.Repeat("1,", 100) + "1"
	given := map[string]any{"fixed": int64(1)}
	for _, test := range []struct{ grid, want string }{
		{`{}`, "grid: give a grid or a list of inputs"},
		{`{"a": []}`, "grid.a: has no value: there is nothing to run"},
		{`{"fixed": [1]}`, "grid.fixed: is in inputs, too, which is of all of them: give it once"},
		{`{"a": [1], "a": [2]}`, "grid.a: is given twice"},
		{`{"a": [` + long + `], "b": [` + long + `]}`, "there are 10201 combinations, at most 10000 are possible at a time"},
	} {
		if err := (Sweep{Grid: gridOf(t, test.grid)}).Check(given, MaxSweep); err == nil || err.Error() != test.want {
			t.Errorf("%.30s: %v", test.grid, err)
		}
	}
	for _, test := range []struct {
		list []map[string]any
		want string
	}{
		{[]map[string]any{}, "list: is empty: there is nothing to run"},
		{[]map[string]any{{}, {"fixed": 2}}, "list[1].fixed: is in inputs, too, which is of all of them: give it once"},
		{[]map[string]any{{"a": 2}, {"a": 3}}, "list[0].a: is in the grid, too: give it once"},
	} {
		s := Sweep{Grid: gridOf(t, `{"a": [1]}`), List: test.list}
		if err := s.Check(given, MaxSweep); err == nil || err.Error() != test.want {
			t.Errorf("%v: %v", test.list, err)
		}
	}
	huge := Sweep{}
	for i := range 100 {
		huge.Grid = append(huge.Grid, Axis{fmt.Sprint("a", i), make([]any, 100)})
	}
	if err := huge.Check(nil, 10); huge.Count() != math.MaxInt || err == nil || !strings.Contains(err.Error(), "too many to count") {
		t.Errorf("%d %v", huge.Count(), err)
	}
	for text, want := range map[string]string{
		`[]`:         "it must be an object: by input, the list of its values",
		`{"a": 1}`:   "grid.a: must be the list of its values; what all have goes to inputs",
		`{"a": [1]`:  "the text ends too early",
		`{"a":[1]}x`: "there is more text after the value",
	} {
		if _, err := DecodeGrid([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

const swept = `
lattice: swept
inputs:
  bins: {type: integer, minimum: 16, default: 1024}
  alg: {type: string, enum: [lm, dogbox]}
  weights: {type: array, items: {type: number}, default: []}
electrons:
  work: {run: ["true", "${{ inputs.bins }}"]}
`

func TestSweep_bind(t *testing.T) {
	l := mustParse(t, swept)
	t.Run("gives_effective_inputs", func(t *testing.T) {
		s := Sweep{Grid: gridOf(t, `{"bins": [16, 32]}`), List: []map[string]any{{"weights": []any{int64(1), 2.5}}}}
		all, err := s.Bind(l, map[string]any{"alg": "lm", "bins": int64(20)})
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		if string(all[1].Inputs) != `{"alg":"lm","bins":32,"weights":[1,2.5]}` || !reflect.DeepEqual(all[1].Set["bins"], int64(32)) || len(all[1].Set) != 2 {
			t.Errorf("%s %v", all[1].Inputs, all[1].Set)
		}
	})
	t.Run("names_the_combination", func(t *testing.T) {
		for _, test := range []struct {
			grid string
			list []map[string]any
			want []string
		}{
			{`{"bins": [16, 3]}`, nil, []string{"grid.bins[1]: combination 2 of 2 (bins=3): "}},
			{`{"bins": [16, 3], "weights": [[], [1]]}`, nil, []string{"grid.bins[1]: combination 3 of 4 (bins=3 weights=[]) and 1 more: "}},
			{`{"bims": [16, 32]}`, nil, []string{
				"grid.bims[0]: combination 1 of 2 (bims=16): the lattice swept has no input \"bims\"; did you mean bins?",
				"grid.bims[1]: combination 2 of 2 (bims=32): ",
			}},
			{`{}`, []map[string]any{{"bins": int64(16)}, {"alg": "newton"}}, []string{"list[1].alg: combination 2 of 2 (alg=\"newton\"): "}},
			{`{"weights": [1, 2.5]}`, nil, []string{"; it takes a list itself, so a sweep of it is a list of lists", "grid.weights[1]"}},
			{`{"weights": [[1], ["x"]]}`, nil, []string{"grid.weights[1][0]: combination 2 of 2 (weights=[\"x\"]): "}},
		} {
			s := Sweep{Grid: gridOf(t, test.grid), List: test.list}
			_, err := s.Bind(l, map[string]any{"alg": "lm"})
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("%s: %v", test.grid, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v\nwant %s", test.grid, err, want)
				}
			}
			if len(invalid.Problems) != max(len(test.want), 1) {
				t.Errorf("%s: %v", test.grid, err)
			}
		}
	})
	t.Run("says_once_what_is_wrong_with_all", func(t *testing.T) {
		_, err := Sweep{Grid: gridOf(t, `{"bins": [16, 32]}`)}.Bind(l, nil)
		if err == nil || err.Error() != "inputs.alg: a value (string) is missing, and it has no default" {
			t.Error(err)
		}
	})
	t.Run("bounds_what_is_said_and_what_is_kept", func(t *testing.T) {
		many := make([]any, 5000)
		for i := range many {
			many[i] = int64(-i)
		}
		var invalid *Invalid
		if _, err := (Sweep{Grid: []Axis{{"bins", many}}}).Bind(l, map[string]any{"alg": "lm"}); !errors.As(err, &invalid) || len(invalid.Problems) != maxProblems {
			t.Errorf("%d problems", len(invalid.Problems))
		}
		heavy := mustParse(t, "lattice: heavy\ninputs: {text: {type: string}, n: {type: integer}}\nelectrons: {work: {run: ['true']}}")
		grid := make([]any, 100)
		for i := range grid {
			grid[i] = int64(i)
		}
		_, err := Sweep{Grid: []Axis{{"n", grid}}}.Bind(heavy, map[string]any{"text": strings.Repeat("x", 1<<20)})
		if !errors.As(err, &invalid) || invalid.Problems[0].Code != CodeTooLarge || !strings.Contains(err.Error(), "the inputs of the first 64 of 100 combinations") {
			t.Error(err)
		}
	})
}
