package graph

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplate_Eval(t *testing.T) {
	for name, c := range map[string]struct{ template, want any }{
		"text stays":                    {"plain $HOME }} {{ x }} ${x}", "plain $HOME }} {{ x }} ${x}"},
		"one expression keeps its type": {"${{ n }}", int64(4)},
		"lists too":                     {"${{ l }}", []any{int64(1), int64(2), int64(3)}},
		"space around makes it text":    {" ${{ n }}", " 4"},
		"text inside text as it is":     {"<${{ s }}>", "<scan>"},
		"numbers in text":               {"${{ n }}x${{ x }}", "4x2.5"},
		"whole floats without a point":  {"n=${{ n / 2 }}", "n=2"},
		"compact JSON in text":          {"v=${{ a.deep }},${{ l }},${{ a.null }},${{ ok }}", `v={"k":7},[1,2,3],null,true`},
		"escape":                        {"$${{ n }} ${{ n }}", "${{ n }} 4"},
		"escape alone":                  {"$${{", "${{"},
		"dollar before an escape":       {"$$${{", "$${{"},
		"braces inside":                 {"${{ {a: {b: n}} }}", map[string]any{"a": map[string]any{"b": int64(4)}}},
		"braces touching the end":       {"${{ {a: {b: n}}.a.b}}", int64(4)},
		"braces in quotes":              {`${{ "}}" + '}}' + ` + "`}}`" + ` }}!`, "}}}}}}!"},
		"escaped quotes":                {`${{ "\"}}" }}`, `"}}`},
		"comments":                      {"${{ /* }} */ n }}", int64(4)},
		"several lines":                 {"${{ n +\n 1 }}", int64(5)},
		"inside lists and mappings":     {map[string]any{"a": []any{"${{ n }}", 1, nil}, "b": map[string]any{"c": "${{ s }}!"}}, map[string]any{"a": []any{int64(4), int64(1), nil}, "b": map[string]any{"c": "scan!"}}},
		"keys are not expressions":      {map[string]any{"${{ n }}": 1}, map[string]any{"${{ n }}": int64(1)}},
		"constants":                     {[]any{true, 2.5, "x", map[string]any{}}, []any{true, 2.5, "x", map[string]any{}}},
		"other languages":               {"é${{ s }}日本", "éscan日本"},
	} {
		t.Run(name, func(t *testing.T) {
			tpl, err := CompileTemplate(c.template, exprEnv())
			if err != nil {
				t.Fatal(err)
			}
			got, err := tpl.Eval(exprVars())
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

func TestTemplate_errors_say_where(t *testing.T) {
	_, err := CompileTemplate(map[string]any{"labels": map[string]any{"sample": "${{ e.nam }}"}, "list": []any{"${{ n", "${{ zzz }}"}}, exprEnv())
	want := "labels.sample: e has no nam; did you mean name?\nlist[0]: ${{ has no }}\nlist[1]: there is no zzz; there are a, e, l, n, o, ok, s, x"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	tpl, err := CompileTemplate(map[string]any{"deep": []any{1, "v=${{ a.zz }}"}}, exprEnv())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpl.Eval(exprVars())
	want = `deep[1]: ${{ a.zz }}: a has no key "zz"; write ?. or ?? if it may be missing`
	var failed *EvalError
	if !errors.As(err, &failed) || err.Error() != want || failed.Where != "deep[1]" {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestTemplate_types_are_known_early(t *testing.T) {
	for src, want := range map[string]Type{
		"${{ n > 1 }}": Boolean, "${{ n }}": Integer, "${{ x }}": Number, "${{ a.b }}": Any, "n=${{ n }}": String, "text": String,
		"${{ a?.b ?? 1 }}": Any, "${{ l }}": Array, "${{ e }}": Object, "${{ [n] }}": Array,
	} {
		tpl, err := CompileTemplate(src, exprEnv())
		if err != nil {
			t.Fatal(err)
		}
		if tpl.Type() != want {
			t.Errorf("%s: %s, want %s", src, tpl.Type(), want)
		}
		if _, constant := tpl.Constant(); constant != (src == "text") {
			t.Errorf("%s: constant %v", src, constant)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"${{ n }}", "a${{ s }}b", "$${{ x }}", "${{ {a: {b: 1}} }}", "${{ \"}}\" }}", "${{", "${{ }}", "$$$${{{{}}}}", "${{ `", "${{ /* }}", "${{ '\\", "é${{ nope }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tpl, err := CompileTemplate(s, exprEnv())
		if err != nil {
			return
		}
		if v, constant := tpl.Constant(); constant {
			if _, ok := v.(string); !ok {
				t.Fatalf("%q became %v", s, v)
			}
		}
		_, _ = tpl.Eval(exprVars())
	})
}
