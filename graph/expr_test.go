package graph

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exprEnv and exprVars are what the expressions of these tests see.
func exprEnv() Env {
	return Env{"a": Any, "n": Integer, "x": Number, "s": String, "ok": Boolean, "l": Array, "o": Object, "e": Env{"name": String, "size": Integer}}
}

func exprVars() map[string]any {
	list := []any{int64(1), int64(2), int64(3)}
	return map[string]any{
		"a": map[string]any{"b": "text", "list": list, "null": nil, "deep": map[string]any{"k": int64(7)}, "odd key": true},
		"n": int64(4), "x": 2.5, "s": "scan", "ok": true, "l": list, "o": map[string]any{"k": "v"},
		"e": map[string]any{"name": "f.tif", "size": int64(10)},
	}
}

// compileExpr compiles a bare expression, without ${{ }}.
func compileExpr(src string, env Env) (*Template, error) {
	p, problem := newCompiler(env, nil).compile(src)
	if problem != nil {
		return nil, &Invalid{Problems: []Problem{{Code: problem.code, Message: problem.message}}}
	}
	return &Template{root: p, typ: p.typ}, nil
}

func TestEval(t *testing.T) {
	for expr, want := range map[string]any{
		// integers stay integers
		`n + 1`: int64(5), `n * 3 - 2`: int64(10), `7 % 4`: int64(3), `-n`: int64(-4), `len(l)`: int64(3), `int("5")`: int64(5),
		`n / 2`: 2.0, `2 ** 3`: 8.0, `x * 2`: 5.0, `sum(l)`: int64(6), `max(l)`: int64(3), `n + 0.5`: 4.5, `abs(-n)`: int64(4),
		// members
		`a.b`: "text", `a["b"]`: "text", `a["odd key"]`: true, `a.deep.k`: int64(7), `a.list[0]`: int64(1), `a.list[-1]`: int64(3),
		`a[s == "scan" ? "b" : "c"]`: "text", `e.name`: "f.tif", `o.k`: "v", `a.list[n - 2]`: int64(3),
		// missing keys, opted out
		`a?.zz`: nil, `a.zz?.y`: nil, `a.zz?.y.w`: nil, `a.null?.y.w`: nil, `a.zz ?? 5`: int64(5), `a.zz.y.w ?? "d"`: "d", `a.list[9] ?? 0`: int64(0),
		`a?.list?.[9]`: nil, `(a.zz ?? a.yy) ?? 1`: int64(1), `a.zz ?? a.yy ?? 1`: int64(1), `(ok ? a.zz : 1) ?? 2`: int64(2), `a.null ?? 3`: int64(3),
		`a?.b`: "text", `get(a, "zz")`: nil, `"zz" in a`: false, `"b" in a`: true,
		// lists and text
		`l | map(# * 2)`:                          []any{int64(2), int64(4), int64(6)},
		`filter(l, # > 1)[0]`:                     int64(2),
		`1..3`:                                    []any{int64(1), int64(2), int64(3)},
		`split("a,b", ",")`:                       []any{"a", "b"},
		`split("a,b", ",")[1]`:                    "b",
		`join(["a", "b"], "-")`:                   "a-b",
		`["a", "b"] | join()`:                     "ab",
		`join(split("a b", " "), "+")`:            "a+b",
		`replace("aXbX", "X", "--")`:              "a--b--",
		`replace("aXbX", "X", "--", 1)`:           "a--bX",
		`uniq([1, 2, 1.0, "1"])`:                  []any{int64(1), int64(2), "1"},
		`groupBy(l, # > 1)`:                       map[string]any{"true": []any{int64(2), int64(3)}, "false": []any{int64(1)}},
		`groupBy(l, # > 1)[true]`:                 []any{int64(2), int64(3)},
		`reduce(l, #acc + #, 10)`:                 int64(16),
		`s + ".tif"`:                              "scan.tif",
		`upper(s)[0:2]`:                           "SC",
		`s matches "^sc"`:                         true,
		`l[1:]`:                                   []any{int64(2), int64(3)},
		`toJSON({"b": 1, "a": [nil, true]})`:      `{"a":[null,true],"b":1}`,
		`fromJSON("{\"x\": 9007199254740993}").x`: int64(9007199254740993),
		`sortBy(l, -#)`:                           []any{int64(3), int64(2), int64(1)},
		`any(l, # == 2) && none(l, # == 9)`:       true,
		`count(l, # > 1)`:                         int64(2),
		`first(filter(l, # > 9))`:                 nil,
		`toJSON(groupBy(l, # > 1))`:               `{"false":[1],"true":[2,3]}`,
		`groupBy(l, #)[2]`:                        []any{int64(2)},
		`groupBy(l, #)?.[9]`:                      nil,
		`groupBy(["a", "b"], #)["a"]`:             []any{"a"},
		`uniq(1..3)`:                              []any{int64(1), int64(2), int64(3)},
		`string(l) + string(n) + string(s)`:       "[1,2,3]4scan",
		`string(nil)`:                             "null",
		`a.list[x - 1.5]`:                         int64(2),
		`date("2024-03-01")`:                      "2024-03-01T00:00:00Z",
		`duration("90s")`:                         "1m30s",
		`[1..3, split("a b", " ")]`:               []any{[]any{int64(1), int64(2), int64(3)}, []any{"a", "b"}},
		`{"g": groupBy(l, #)}.g`:                  map[string]any{"1": []any{int64(1)}, "2": []any{int64(2)}, "3": []any{int64(3)}},
		`type(n) + type(x) + type(l) + type(nil)`: "intfloatarraynil",
		`if ok { n } else { 0 }`:                  int64(4),
		// shapes
		`{a: {b: n}}`: map[string]any{"a": map[string]any{"b": int64(4)}}, `[n, [s]]`: []any{int64(4), []any{"scan"}},
		`{"k": n}.k`: int64(4), `let y = n; y + 1`: int64(5), `ok ? 1 : "b"`: int64(1), `1 < n < 9`: true, `not ok || n > 3`: true, `n == 4.0`: true,
	} {
		tpl, err := compileExpr(expr, exprEnv())
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		got, err := tpl.Eval(exprVars())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", expr, err, diff)
		}
	}
}

func TestEval_errors(t *testing.T) {
	for expr, want := range map[string]string{
		`a.zz`:                       `a has no key "zz"; write ?. or ?? if it may be missing`,
		`a.lisst`:                    `a has no key "lisst"; did you mean list?`,
		`a.deep.zz`:                  `a.deep has no key "zz"; write ?. or ?? if it may be missing`,
		`a?.zz.y`:                    `a.zz is null and has no key "y"; write ?. to get null`,
		`a.null.y`:                   `a.null is null and has no key "y"; write ?. to get null`,
		`a.b.c`:                      `a.b is text and has no key "c"`,
		`a.list[7]`:                  `a.list has 3 items, there is no item 7`,
		`a.list.x`:                   `a.list is a list; its items have numbers, not key "x"`,
		`a[n]`:                       `a key of a is text, not a number`,
		`a["odd key"].x`:             `a["odd key"] is true or false and has no key "x"`,
		`map(l, #.x)`:                `# is a number and has no key "x"`,
		`map(l, o[s])[0]`:            `o has no key "scan"; write ?. or ?? if it may be missing`,
		`(a.b + "x").y`:              `(…) is text and has no key "y"`,
		`1 / 0`:                      `the result is +Inf, which JSON does not have`,
		`not a.b`:                    `bool is expected, not string`,
		`a.b + 1`:                    `invalid operation: string + int`,
		`fromJSON("{")`:              `fromJSON: line 1, column 2: the text ends too early`,
		`join([1])`:                  `join takes a list of text, item 0 is a number`,
		`join(a.b)`:                  `join takes a list, not text`,
		`toJSON(1 / 0)`:              `the result is +Inf, which JSON does not have`,
		`fromJSON(a.deep)`:           `fromJSON takes text, not a mapping`,
		`replace(a.deep, "a", "b")`:  `replace takes text, not a mapping`,
		`uniq(a.b)`:                  `uniq takes a list, not text`,
		`s matches a.b + ")"`:        "error parsing regexp: unexpected ): `text)`",
		`a matches "x"`:              `matches takes text, not a mapping`,
		`s matches a.list`:           `matches takes a pattern, which is text, not a list`,
		`int(1e300)`:                 `1e+300 is beyond what an integer holds`,
		`int(-1e19)`:                 `-10000000000000000000 is beyond what an integer holds`,
		`int("9223372036854775808")`: `"9223372036854775808" is beyond what an integer holds`,
		`int("1.5")`:                 `"1.5" is not a whole number`,
		`int(a)`:                     `int takes a number or text, not a mapping`,
		`n % 0`:                      `division by zero`,
		`date(a.deep)`:               `string is expected, not mapping`,
		`keys(a.list)`:               `keys takes a mapping, not a list`,
		`groupBy([1, "1"], #)`:       `the result has two keys that JSON can't tell apart, both are "1"; make text or numbers of them first`,
		`groupBy([ok, "true"], #)`:   `the result has two keys that JSON can't tell apart, both are "true"; make text or numbers of them first`,
		`fromPairs([[1]])`:           `fromPairs takes a list of pairs [key, value]; item 0 is none`,
		`split(a.deep, ",")`:         `split takes text and a separator, which is text, not a mapping and text`,
		`split("a", a.list)`:         `split takes text and a separator, which is text, not text and a list`,
		`a.list[0].x`:                `a.list[0] is a number and has no key "x"`,
		`a.list[n - 4].x`:            `a.list[…] is a number and has no key "x"`,
	} {
		tpl, err := compileExpr(expr, exprEnv())
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		v, err := tpl.Eval(exprVars())
		var failed *EvalError
		if !errors.As(err, &failed) || failed.Message != want {
			t.Errorf("%s: %v, %v\nwant %s", expr, v, err, want)
		}
	}
}

func TestCompile_refuses(t *testing.T) {
	for expr, want := range map[string]string{
		``:                        `the expression is empty`,
		`1 +`:                     `the expression ends too early`,
		`nope`:                    `there is no nope; did you mean none?`,
		`e.nam`:                   `e has no nam; did you mean name?`,
		`name`:                    `there is no name; there are a, e, l, n, o, ok, s, x`,
		`null`:                    `there is no null; write nil`,
		`True`:                    `there is no True; write true`,
		`now()`:                   `now() is not available: the same values have to give the same result whenever it is computed`,
		`repeat("a", 9)`:          `repeat() is not available in expressions`,
		`timezone("UTC")`:         `timezone() is not available in expressions`,
		`$env`:                    `$env is not available`,
		`$env.a`:                  `$env is not available`,
		`$env["a"].b`:             `$env is not available`,
		`keys($env)`:              `$env is not available`,
		`a.f()`:                   `values have no methods`,
		`a?.f()`:                  `values have no methods`,
		`n.x`:                     `type integer has no field x`,
		`b"bytes"`:                `bytes are not JSON; use text`,
		`n + s`:                   `invalid operation: + (mismatched types integer and string)`,
		`l + 1`:                   `invalid operation: + (mismatched types list and int)`,
		`upper(n)`:                `cannot use integer as argument (type string) to call upper`,
		`e[n]`:                    `cannot use integer to get an element from mapping`,
		`let n = 1; n`:            `cannot redeclare n`,
		`let join = 1; join`:      `cannot redeclare function join`,
		`12345678901234567890123`: `invalid integer literal: strconv.ParseInt: parsing "12345678901234567890123": value out of range`,
	} {
		_, err := compileExpr(expr, exprEnv())
		var invalid *Invalid
		if !errors.As(err, &invalid) || invalid.Problems[0].Message != want {
			t.Errorf("%s: %v\nwant %s", expr, err, want)
		}
	}
}

// Expressions can't be interrupted, so none of these may even begin to be slow.
func TestEval_bounds_what_it_costs(t *testing.T) {
	sharing := "1"
	for range 60 {
		sharing = "(0 < " + sharing + " < 3 ? 1 : 0)"
	}
	let := "let b = [1, 1]; "
	last := "b"
	for i := range 40 {
		name := fmt.Sprintf("b%d", i)
		let += fmt.Sprintf("let %s = [%s, %s]; ", name, last, last)
		last = name
	}
	big := make([]any, 10_000)
	for i := range big {
		big[i] = int64(i)
	}
	for name, expr := range map[string]string{
		"nested loops":       `map(big, len(filter(big, # > 3)))`,
		"three loops":        `count(1..500, count(1..500, count(1..500, true) > 0) > 0)`,
		"doubling text":      `reduce(1..60, #acc + #acc, "a")`,
		"doubling lists":     `reduce(1..60, concat(#acc, #acc), [1])`,
		"doubling trees":     `reduce(1..60, [#acc, #acc], 1)`,
		"doubling mappings":  `reduce(1..60, ({"a": #acc, "b": #acc}), 1)`,
		"replace":            `reduce(1..9, replace(#acc, "a", #acc), "aaaaaaaa")`,
		"join":               `reduce(1..9, join(split(#acc, ""), #acc), "aaaaaaaa")`,
		"range":              `len(1..100000000)`,
		"comparing in loops": `filter(big, big == big)`,
		"membership":         `filter(big, # in big)`,
		"serializing":        `map(big, len(toJSON(big)))`,
		"sums in loops":      `map(big, sum(big))`,
		"patterns":           `map(1..100000, "a" matches "^(a?){" + string(# % 300) + "}$")`,
		"a slow pattern":     `text matches "(a|aa|aaa|aaaa|aaaaa)*b$"`,
		"an own slow one":    `text matches "(a|aa|aaa|aaaa|aaaaa)*" + join(["b$"])`,
		"splitting":          `len(split(text, ""))`,
		"splitting after":    `len(splitAfter(text, "a"))`,
		"flatten":            `flatten(map(big, big))`,
		"result":             `map(big, big)`,
		"doubling variables": let + "len(" + last + ")",
		"sharing nodes":      sharing,
		"text around":        `"x" + reduce(1..60, #acc + "y" + #acc, "a")`,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			tpl, err := compileExpr(expr, Env{"big": Array, "text": String})
			if err != nil {
				if !strings.Contains(err.Error(), "more than 2000 parts") && !strings.Contains(err.Error(), "longer than") {
					t.Error(err)
				}
				return
			}
			if _, err := tpl.Eval(map[string]any{"big": big, "text": strings.Repeat("a", 16<<20)}); err == nil || !strings.Contains(err.Error(), "takes too long or makes too much") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEval_allows_ordinary_work(t *testing.T) {
	rows := make([]any, 20_000)
	for i := range rows {
		rows[i] = map[string]any{"id": int64(i), "name": "sample", "value": float64(i) / 2}
	}
	for _, expr := range []string{
		`len(filter(rows, .value > 10 && .name == "sample"))`,
		`rows | map(.id) | sum()`,
		`sortBy(rows, .value)[0].name`,
		`join(map(rows, .name), ",")`,
		`len(filter(rows, .name matches "^sam.*[a-z]e$"))`,
		`len(filter(rows, .name matches "^" + rows[0].name))`,
		`len(split(trim(text), "\n"))`,
		`text matches "(?m)^converged"`,
	} {
		tpl, err := compileExpr(expr, Env{"rows": Array, "text": String})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tpl.Eval(map[string]any{"rows": rows, "text": strings.Repeat("step 17: energy -3.25\n", 40_000)}); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

func TestEvalError_shows_the_beginning_of_a_long_expression(t *testing.T) {
	tpl, err := compileExpr("a.zz"+strings.Repeat(" + é", 300), Env{"a": Any, "é": Any})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpl.Eval(map[string]any{"a": map[string]any{}, "é": int64(1)})
	want := "${{ a.zz" + strings.Repeat(" + é", 49) + "… }}: a has no key \"zz\"; write ?. or ?? if it may be missing"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestEval_leaves_its_variables_alone(t *testing.T) {
	vars := exprVars()
	for _, expr := range []string{`sort(l)`, `reverse(l)`, `concat(l, l)`, `map(l, #)`, `l`, `a`, `uniq(l)`, `sortBy(l, -#)`, `[l, a]`} {
		tpl, err := compileExpr(expr, exprEnv())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tpl.Eval(vars); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(exprVars(), vars); diff != "" {
			t.Fatalf("%s changed its variables\n%s", expr, diff)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`a.b?.c ?? 1`, `map(l, # * 2)`, `reduce(l, #acc + #, 0)`, `let y = n; y < 3 < 4`, `$env["a"]`, `"\x00" in a`, `a[n:]`, `{a: {b: 1}}.a.b`,
		`a.f(1)`, `l | filter(# > 1) | len()`, `if ok {1} else {2}`, `s matches "("`, `1..1e9`, `b'x'`, `#`, `.x`, `a?.[0]?.b`, `-(-n)`, `join(l)`,
		`not a in l`, `s[1:2][0]`, `groupBy(l, #)[1]`, `a;b`, `((((`, `/* */ n`, "`raw`", `date("x")`, `duration(s)`, `n ?? l ?? a.b.c`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		tpl, err := compileExpr(src, exprEnv())
		if err != nil {
			return
		}
		v, err := tpl.Eval(exprVars())
		if err != nil {
			return
		}
		if _, err := Canonical(v); err != nil && !strings.Contains(err.Error(), "UTF-8") {
			t.Fatalf("%s: the result %#v is not JSON: %v", src, v, err)
		}
	})
}
