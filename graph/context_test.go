package graph

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// builtinCalls has every builtin function of the library at work: found and not
// found, empty and full, in lists and mappings.
func builtinCalls() []string {
	return []string{
		`all(l, # > 0)`, `none(l, # > 9)`, `any(l, # > 9)`, `one(l, # == 2)`, `one(l, # == 9)`, `filter(l, # > 9)`, `map(l, # + 1)`,
		`count(l, # > 1)`, `count([true, false])`, `sum(l)`, `sum(l, # * 2)`, `sum([])`, `groupBy(l, # > 1)`, `sortBy(l, -#)`, `sortBy(l, #, "desc")`,
		`find(l, # == 2)`, `find(l, # == 9)`, `find([], true)`, `findIndex(l, # == 2)`, `findIndex(l, # == 9)`,
		`reduce(l, #acc + #)`, `reduce(l, #acc + #, 10)`, `reduce([], #acc + #, 1)`, `first(l)`, `first([])`, `last(l)`, `last([])`,
		`filter(l, # > 1)[0]`, `filter(l, # > 1)[-1]`, `filter(l, # > 9)?.[0]`, `first(filter(l, # > 1))`, `last(filter(l, # > 1))`,
		`len(filter(l, # > 1)) > 0`, `count(l, # > 1) >= 2`, `count(l, # > 0) == 0`, `map(filter(l, # > 1), # * 2)`, `sum(map(l, # * 2))`, `sum(1..4)`,
		`any(l, # > 9) or any(l, # > 2)`, `all(l, # > 0) and all(l, # < 9)`, `not any(l, # > 2)`, `n in 1..9`, `n in [1, 4]`, `s in ["scan", "x"]`,
		`len(s)`, `type(l)`, `abs(-n)`, `ceil(x)`, `floor(x)`, `round(x)`, `int(x)`, `int("7")`, `float("7.5")`, `string(n)`, `trim(" a ")`,
		`trimPrefix(s, "s")`, `trimSuffix(s, "n")`, `upper(s)`, `lower("A")`, `split("a,b", ",")`, `split("a,b,c", ",", 2)`, `splitAfter("a,b", ",")`,
		`replace(s, "a", "b")`, `join(["a", "b"], "-")`, `indexOf(s, "a")`, `indexOf(s, "z")`, `lastIndexOf(s, "a")`, `hasPrefix(s, "s")`, `hasSuffix(s, "s")`,
		`max(l)`, `min(l)`, `mean(l)`, `median(l)`, `max([])`, `toJSON(a)`, `fromJSON("[1]")`, `toBase64(s)`, `fromBase64("YQ==")`,
		`duration("1h")`, `date("2024-02-29")`, `date("29.02.2024", "02.01.2006")`, `keys(a)`, `values(o)`, `toPairs(a.deep)`, `fromPairs([["a", 1]])`,
		`reverse(l)`, `concat(l, [9])`, `flatten([l, [l]])`, `uniq([1, 1, 2])`, `sort([3, 1])`, `sort([3, 1], "desc")`, `take(l, 2)`, `get(a, "b")`, `get(l, 0)`, `get(l, 9)`,
		`bitand(6, 3)`, `bitor(6, 3)`, `bitxor(6, 3)`, `bitnand(6, 3)`, `bitnot(6)`, `bitshl(6, 3)`, `bitshr(6, 1)`, `bitushr(6, 1)`,
		`s matches "^s"`, `s matches s`, `s contains "ca"`, `s startsWith "s"`, `s endsWith "n"`, `a.zz ?? n`, `a?.zz?.y`, `l[1:]`, `l[:1]`, `s[1:2]`,
		`let y = n; y + 1`, `ok ? n : x`, `if ok { n } else { x }`, `n in l`, `2 not in l`, `n ** 2`, `n % 3`, `-n`, `1 < n < 9`, `[n, l]`, `{"k": n}`,
	}
}

// Loops of expr 1.17.8 that run backwards leave values on its stack: in a larger
// expression its parts then get each other's values.
func TestEval_a_part_is_worth_the_same_inside_a_larger_expression(t *testing.T) {
	for _, expr := range builtinCalls() {
		alone, err := evalExpr(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		larger := fmt.Sprintf(`["before", (%s), {"in": (%s)}, map(1..2, (%s)), "after"]`, expr, expr, expr)
		got, err := evalExpr(larger)
		want := []any{"before", alone, map[string]any{"in": alone}, []any{alone, alone}, "after"}
		if diff := cmp.Diff(any(want), got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", larger, err, diff)
		}
	}
}

func evalExpr(expr string) (any, error) {
	tpl, err := compileExpr(expr, exprEnv())
	if err != nil {
		return nil, err
	}
	return tpl.Eval(exprVars())
}

func TestEval_gives_the_same_again_and_again(t *testing.T) {
	env := Env{"o": Object, "l": Array}
	object := map[string]any{}
	for i := range 40 {
		object[fmt.Sprint("k", i)] = int64(i)
	}
	names := slices.Sorted(maps.Keys(object))
	values, pairs := make([]any, 0, 40), make([]any, 0, 40)
	for _, name := range names {
		values = append(values, object[name])
		pairs = append(pairs, []any{name, object[name]})
	}
	for expr, want := range map[string]any{
		`join(keys(o), " ") == join(sort(keys(o)), " ")`: true,
		`values(o)`:                values,
		`toPairs(o)`:               pairs,
		`fromPairs(toPairs(o)).k7`: int64(7), `fromPairs([[1, "a"], [true, "b"]])`: map[string]any{"1": "a", "true": "b"},
		`fromPairs(toPairs(o)) == o`:        true,
		`keys(fromPairs(toPairs(o)))[39]`:   "k9",
		`keys(groupBy(l, #))`:               []any{int64(1), "1", int64(2), true},
		`values(groupBy(l, #))`:             []any{[]any{int64(1), int64(1)}, []any{"1"}, []any{int64(2)}, []any{true}},
		`map(toPairs(groupBy(l, #)), #[0])`: []any{int64(1), "1", int64(2), true},
	} {
		tpl, err := compileExpr(expr, env)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		for range 20 {
			got, err := tpl.Eval(map[string]any{"o": object, "l": []any{int64(2), true, "1", int64(1), int64(1)}})
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("%s: %v\n%s", expr, err, diff)
			}
		}
	}
}
