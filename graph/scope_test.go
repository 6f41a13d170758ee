package graph

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const scopeDoc = `
lattice: scope
inputs:
  n: {type: integer, default: 4}
  path: {type: string, default: /d}
  opt: {default: null}
electrons:
  a: {run: [ls], outputs: {plot: p.svg, log: {path: l.txt, optional: true}}}
  b:
    run: [prog, "-n", "${{ inputs.n }}", "${{ electrons.a.files.plot }}", "${{ electrons.a.result }}", 5, true]
    env: {TEXT: "a $b", JSON: "${{ electrons.a.result }}", NUMBER: 5, GONE: null, MAYBE: "${{ inputs.opt }}", LOG: "${{ electrons.a.files?.log ?? 'none' }}"}
    args:
      exact: "${{ electrons.a.result }}"
      maybe: "${{ electrons.a?.result }}"
      inner: "${{ electrons.a.result.k }}"
      text: "<${{ electrons.a.result }}>"
      files: "${{ electrons.a.files }}"
      out: "${{ electrons.a.stdout }}"
      all: {number: "${{ dispatch.number }}", sample: "${{ dispatch.labels.sample }}", parent: "${{ dispatch.parent_id }}"}
  c:
    run: [prog]
    args: {a: "${{ electrons.a?.result }}", b: "${{ electrons.b?.result.x.y ?? 'no' }}"}
    if: ${{ electrons.b?.result == nil || inputs.n > 3 }}
  d:
    run: [prog]
    wait_for: [c]
    if: ${{ electrons.a.result.ready }}
output: {a: "${{ electrons.a.result.k }}", c: "${{ electrons.c.result.deep.value }}", text: "c is ${{ electrons.c.result }}", files: "${{ electrons.a.files.plot }}"}
`

// fullScope has a ended with everything.
func fullScope() Scope {
	return Scope{
		Inputs:   map[string]any{"n": int64(4), "path": "/d", "opt": nil},
		Dispatch: map[string]any{"id": "0190", "number": int64(7), "parent_id": nil, "root_id": "0190", "trigger": nil, "labels": map[string]any{"sample": "s1"}},
		Electrons: map[string]*Outcome{
			"a": {
				Result: map[string]any{"k": int64(1), "ready": true},
				Files:  map[string]any{"plot": InPath("a", "plot")},
				Stdout: func() (string, error) { return "printed\n", nil },
			},
			"b": {Result: map[string]any{"x": map[string]any{"y": "yes"}}},
			"c": nil,
		},
	}
}

func TestResolve(t *testing.T) {
	l := mustParse(t, scopeDoc)
	got, err := l.Resolve(1, fullScope())
	if err != nil {
		t.Fatal(err)
	}
	want := Resolved{
		Argv:  []string{"prog", "-n", "4", "in/a/plot", `{"k":1,"ready":true}`, "5", "true"},
		Env:   map[string]string{"TEXT": "a $b", "JSON": `{"k":1,"ready":true}`, "NUMBER": "5", "LOG": "none"},
		Unset: []string{"GONE", "MAYBE"},
		Args: map[string]any{
			"exact": map[string]any{"k": int64(1), "ready": true}, "maybe": map[string]any{"k": int64(1), "ready": true}, "inner": int64(1),
			"text": `<{"k":1,"ready":true}>`, "files": map[string]any{"plot": "in/a/plot"}, "out": "printed\n",
			"all": map[string]any{"number": int64(7), "sample": "s1", "parent": nil},
		},
		ResultArgs: map[string]int{"exact": 0, "maybe": 0},
		Files:      []FileRef{{Electron: 0, Name: "plot"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestResolve_optional_references_to_skipped_electrons_are_null(t *testing.T) {
	l := mustParse(t, scopeDoc)
	s := fullScope()
	s.Electrons["a"], s.Electrons["b"] = nil, nil
	got, err := l.Resolve(2, s)
	if diff := cmp.Diff(map[string]any{"a": nil, "b": "no"}, got.Args); err != nil || diff != "" || got.ResultArgs != nil {
		t.Errorf("%v %v\n%s", err, got.ResultArgs, diff)
	}
	ok, err := l.Condition(2, s)
	if err != nil || !ok {
		t.Errorf("%v %v", ok, err)
	}
}

func TestResolve_errors_say_where(t *testing.T) {
	l := mustParse(t, scopeDoc)
	for name, c := range map[string]struct {
		change func(s *Scope)
		want   string
	}{
		"missing key":     {func(s *Scope) { s.Electrons["a"].Result = map[string]any{"kk": 1} }, `args.inner: ${{ electrons.a.result.k }}: electrons.a.result has no key "k"; did you mean kk?`},
		"missing output":  {func(s *Scope) { s.Electrons["a"].Files = nil }, `run[3]: ${{ electrons.a.files.plot }}: electrons.a.files has no key "plot"; write ?. or ?? if it may be missing`},
		"null word":       {func(s *Scope) { s.Electrons["a"].Result = nil }, `run[4]: the value is null; give another one with ??`},
		"NUL in a word":   {func(s *Scope) { s.Electrons["a"].Result = "a\x00b" }, `run[4]: the value has a NUL character in it, which no program can be given; use args`},
		"missing label":   {func(s *Scope) { s.Dispatch["labels"] = map[string]any{} }, `args.all.sample: ${{ dispatch.labels.sample }}: dispatch.labels has no key "sample"; write ?. or ?? if it may be missing`},
		"skipped":         {func(s *Scope) { s.Electrons["a"] = nil }, `run[3]: ${{ electrons.a.files.plot }}: the electron a was skipped; write electrons.a?.files for null`},
		"unknown outcome": {func(s *Scope) { delete(s.Electrons, "a") }, `the outcome of electron a is not in the scope`},
		"unread stdout": {func(s *Scope) {
			s.Electrons["a"].Stdout = func() (string, error) { return "", errors.New("disk gone") }
		}, `stdout of electron a: disk gone`},
	} {
		t.Run(name, func(t *testing.T) {
			s := fullScope()
			c.change(&s)
			_, err := l.Resolve(1, s)
			if err == nil || err.Error() != c.want {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

func TestCondition(t *testing.T) {
	l := mustParse(t, scopeDoc)
	s := fullScope()
	for i, want := range map[int]bool{0: true, 2: true, 3: true} {
		if got, err := l.Condition(i, s); err != nil || got != want {
			t.Errorf("%d: %v %v", i, got, err)
		}
	}
	s.Inputs["n"] = int64(3)
	if got, err := l.Condition(2, s); err != nil || got {
		t.Errorf("%v %v", got, err)
	}
	s.Electrons["a"].Result = map[string]any{"ready": "yes"}
	want := `if: true or false is expected, not text`
	if _, err := l.Condition(3, s); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	s.Electrons["a"].Result = map[string]any{}
	want = `if: ${{ electrons.a.result.ready }}: electrons.a.result has no key "ready"; write ?. or ?? if it may be missing`
	if _, err := l.Condition(3, s); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestCompose(t *testing.T) {
	l := mustParse(t, scopeDoc)
	got, err := l.Compose(fullScope())
	want := map[string]any{"a": int64(1), "c": nil, "text": "c is null", "files": "in/a/plot"}
	if diff := cmp.Diff(any(want), got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	s := fullScope()
	s.Electrons["a"].Result = "text"
	wantErr := `output.a: ${{ electrons.a.result.k }}: electrons.a.result is text and has no key "k"`
	if _, err := l.Compose(s); err == nil || err.Error() != wantErr {
		t.Errorf("%v", err)
	}
}

func TestCompose_without_output_collects_the_leaves(t *testing.T) {
	l := mustParse(t, `
lattice: leaves
electrons:
  a: {run: [ls]}
  b: {run: [echo, "${{ electrons.a.result }}"]}
  c: {run: [ls], wait_for: [a]}
  d: {run: [ls]}
`)
	got, err := l.Compose(Scope{Electrons: map[string]*Outcome{"a": {Result: 1}, "b": {Result: "x"}, "c": nil, "d": {Result: []any{}}}})
	want := map[string]any{"b": "x", "c": nil, "d": []any{}}
	if diff := cmp.Diff(any(want), got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	uses := []Use{{Electron: 1, Result: true}, {Electron: 2, Result: true}, {Electron: 3, Result: true}}
	if diff := cmp.Diff(uses, l.OutputUses()); diff != "" {
		t.Error(diff)
	}
}

func TestLattice_is_safe_for_concurrent_use(t *testing.T) {
	l := mustParse(t, scopeDoc)
	want, err := l.Resolve(1, fullScope())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := l.Resolve(1, fullScope())
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
				if _, err := l.Bind(map[string]any{"n": 5}); err != nil {
					t.Error(err)
				}
				if _, err := l.Compose(fullScope()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestUses_and_needs_follow_references(t *testing.T) {
	l := mustParse(t, scopeDoc)
	for i, want := range [][]Use{
		{},
		{{Electron: 0, Result: true, Stdout: true, Files: []string{"log", "plot"}}},
		{{Electron: 0, Result: true}, {Electron: 1, Result: true}},
		{{Electron: 0, Result: true}},
	} {
		if diff := cmp.Diff(want, l.Uses(i), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d\n%s", i, diff)
		}
	}
	for i, want := range [][]Need{
		nil,
		{{Electron: 0, Data: true}},
		{{Electron: 0, Data: true, Optional: true}, {Electron: 1, Data: true, Optional: true}},
		{{Electron: 0, Data: true}, {Electron: 2, Order: true}},
	} {
		if diff := cmp.Diff(want, l.Electrons[i].Needs, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d\n%s", i, diff)
		}
	}
	o := mustParse(t, "lattice: o\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], wait_for: [a], if: '${{ electrons.a.result }}'}\n  c: {run: [\"${{ electrons.a.result }}\"], wait_for: [a]}\n")
	if b, c := o.Electrons[1].Needs[0], o.Electrons[2].Needs[0]; !b.Order || !b.Data || c.Order {
		t.Errorf("what is waited for and asked about is %+v, what is waited for and taken %+v", b, c)
	}
	want := []Use{{Electron: 0, Result: true, Files: []string{"plot"}}, {Electron: 2, Result: true}}
	if diff := cmp.Diff(want, l.OutputUses()); diff != "" {
		t.Error(diff)
	}
}
