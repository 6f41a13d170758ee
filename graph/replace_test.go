package graph

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const three = `
lattice: three
include: {f.py: {text: "def f(): pass"}}
inputs: {big: {type: number, default: 1e20}}
electrons:
  a: {run: [x], outputs: {o: o.txt}}
  b: {run: [x, "${{ electrons.a.files.o }}"]}
  c: {run: [x], wait_for: [b]}
  last: {run: [x]}
`

func TestReplace(t *testing.T) {
	l, err := Load(loaded(t, three))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("puts documents in the place of electrons", func(t *testing.T) {
		got, err := l.Replace(map[string][]byte{"c": []byte("bash: echo 1\nwait_for: [a]"), "b": []byte(`{"python": "f.py:f"}`)})
		if err != nil {
			t.Fatal(err)
		}
		want, err := Parse([]byte("lattice: three\ninclude: {f.py: {text: \"def f(): pass\"}}\ninputs: {big: {type: number, default: 1e20}}\nelectrons: {a: {run: [x], outputs: {o: o.txt}}, b: {python: f.py:f}, c: {bash: echo 1, wait_for: [a]}, last: {run: [x]}}"))
		if err != nil || got.ID != want.ID || string(got.Document) != string(want.Document) {
			t.Errorf("%s, want %s: %v", got.Document, want.Document, err)
		}
		if l.Electrons[1].Body.Kind != "run" {
			t.Error("it has changed the lattice it began with")
		}
	})
	t.Run("by the same gives the same", func(t *testing.T) {
		got, err := l.Replace(map[string][]byte{"c": []byte("{run: [x], wait_for: [b]}")})
		if err != nil || got.ID != l.ID {
			t.Errorf("%v, %v", got, err)
		}
	})
	for _, c := range []struct{ name, electron, doc, path, message string }{
		{"an unknown electron", "bb", "run: [x]", "replace_electrons.bb", "there is no electron \"bb\" in lattice three"},
		{"a misspelt electron", "lasst", "run: [x]", "replace_electrons.lasst", "did you mean last?"},
		{"an unknown key", "b", "runn: [x]", "replace_electrons.b.runn", "did you mean run"},
		{"a wrong value", "b", "run: [x]\ntimeout: soon", "replace_electrons.b.timeout", ""},
		{"no electron", "b", "[1]", "replace_electrons.b", ""},
		{"no YAML", "b", "run: [x", "replace_electrons.b", ""},
		{"a file that isn't packed", "b", "python: g.py:g", "replace_electrons.b.python", "f.py"},
		{"a cycle", "a", "run: [x]\nwait_for: [c]\noutputs: {o: o}", "replace_electrons.a", "cycle"},
		{"what another one needs of it", "a", "run: [x]", "electrons.b.run[1]", "o"},
	} {
		t.Run("refuses "+c.name, func(t *testing.T) {
			_, err := l.Replace(map[string][]byte{c.electron: []byte(c.doc)})
			var found *Invalid
			if !errors.As(err, &found) {
				t.Fatalf("it gives %v", err)
			}
			p := found.Problems[0]
			if p.Line != 0 && c.name != "no YAML" {
				t.Errorf("it names line %d of a document that nobody has", p.Line)
			}
			if p.Path != c.path || !strings.Contains(p.Message, c.message) {
				t.Errorf("it says %+v, want %s: %s", p, c.path, c.message)
			}
		})
	}
}

// loaded is the stored form of a document.
func loaded(t *testing.T, doc string) []byte {
	t.Helper()
	l, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return l.Document
}

func TestDownstream(t *testing.T) {
	l, err := Parse([]byte(three))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		named []string
		want  []int
	}{{[]string{"a"}, []int{0, 1, 2}}, {[]string{"b"}, []int{1, 2}}, {[]string{"c", "c"}, []int{2}}, {[]string{"c", "a"}, []int{0, 1, 2}}, {nil, nil}} {
		if got, err := l.Downstream(c.named); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v gives %v: %v", c.named, got, err)
		}
	}
	_, err = l.Downstream([]string{"a", "lats"})
	var found *Invalid
	if !errors.As(err, &found) || found.Problems[0].Path != "electrons[1]" || found.Problems[0].Code != CodeUnknownName || !strings.Contains(found.Problems[0].Message, "did you mean last?") {
		t.Errorf("it gives %v", err)
	}
}

// Problems of several documents are told together, each below its own name.
func TestReplace_tells_everything_at_once(t *testing.T) {
	l, err := Parse([]byte(strings.ReplaceAll(three, "last:", "bc:")))
	if err != nil {
		t.Fatal(err)
	}
	paths := func(electrons map[string]string) string {
		docs := map[string][]byte{}
		for name, doc := range electrons {
			docs[name] = []byte(doc)
		}
		_, err := l.Replace(docs)
		var found *Invalid
		if !errors.As(err, &found) {
			t.Fatalf("it gives %v", err)
		}
		var all []string
		for _, p := range found.Problems {
			all = append(all, p.Path)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	if got := paths(map[string]string{"b": "runn: [x]", "bc": "run: [x]\nretries: [1]", "c": "run: [x]"}); got != "replace_electrons.b replace_electrons.b.runn replace_electrons.bc.retries" {
		t.Errorf("wrong documents: %s", got)
	}
	if got := paths(map[string]string{"b": "run: [x", "zz": "run: [x]", "c": "a: 1\na: 2"}); got != "replace_electrons.b replace_electrons.c.a replace_electrons.zz" {
		t.Errorf("what can't be read: %s", got)
	}
}
