package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const sourceDoc = `lattice: fit
include: ["*.py", "lib/**"]
electrons:
  fit: {python: "fit.py:main"}
`

func TestSource_pack_makes_a_lattice(t *testing.T) {
	s, err := Decode([]byte(sourceDoc))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"*.py", "lib/**"}, s.Includes()); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Lattice(); err == nil || !strings.Contains(err.Error(), "line 2, column 10: include: files have to be packed in") {
		t.Errorf("%v", err)
	}
	files := map[string]Include{
		"fit.py":     {Data: []byte("def main(): pass\n")},
		"lib/a.bin":  {Data: []byte{0xff, 0}},
		"lib/b.data": {SHA256: strings.Repeat("a", 64)},
	}
	s.Pack(files)
	if len(s.Includes()) != 0 {
		t.Errorf("%v is left to pack", s.Includes())
	}
	l, err := s.Lattice()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, l.Include); diff != "" {
		t.Error(diff)
	}
	sent, err := s.Document()
	if err != nil || string(sent) != string(l.Document) {
		t.Errorf("%s, %v\nwant %s", sent, err, l.Document)
	}
	received, err := Parse(sent)
	if err != nil || received.ID != l.ID {
		t.Errorf("the daemon sees %v, %v", received, err)
	}
}

func TestSource_problems_keep_their_lines_after_packing(t *testing.T) {
	s, err := Decode([]byte(strings.Replace(sourceDoc, "fit.py:main", "fitt.py:main", 1)))
	if err != nil {
		t.Fatal(err)
	}
	s.Pack(map[string]Include{"fit.py": {}, "../evil": {}})
	_, err = s.Lattice()
	want := `line 2, column 10: include["../evil"]: "../evil" leaves the directory
line 4, column 17: electrons.fit.python: "fitt.py" is not among the included files; did you mean fit.py?`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestSource_without_include(t *testing.T) {
	s, err := Decode([]byte("lattice: x\nelectrons: {a: {run: [ls]}}\n"))
	if err != nil || len(s.Includes()) != 0 {
		t.Fatal(s, err)
	}
	s.Pack(nil)
	l, err := s.Lattice()
	if err != nil || l.Include != nil {
		t.Errorf("%v, %v", l, err)
	}
	s.Pack(map[string]Include{"a": {Data: []byte("x")}})
	if l, err = s.Lattice(); err != nil || string(l.Include["a"].Data) != "x" {
		t.Errorf("%v, %v", l, err)
	}
}

func TestDecode_refuses_impossible_globs(t *testing.T) {
	_, err := Decode([]byte("lattice: x\ninclude: [/etc/passwd, ../up, 5, \"a[\", ok.py, \"\"]\n"))
	want := `line 2, column 11: include[0]: "/etc/passwd" is absolute; give a path relative to the working directory
line 2, column 24: include[1]: "../up" leaves the directory
line 2, column 31: include[2]: text is expected, not 5; put it in quotes
line 2, column 34: include[3]: "a[" is not a glob: a [ has no end
line 2, column 47: include[5]: a path of a file is expected`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if s, err := Decode([]byte("- a list\n")); err != nil {
		t.Error(err)
	} else if _, err := s.Lattice(); err == nil {
		t.Error("a list is no lattice")
	}
}

// 1e16 is 10000000000000000 in canonical form, which is refused when somebody writes it.
func TestSource_what_is_sent_is_what_was_checked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(
			rapid.Float64Range(-1e22, 1e22), rapid.SampledFrom([]float64{1e16, -1e16, 1e20, 1e21, 1 << 53, 1<<53 - 1, 0.1, 5e-324}),
		).Draw(t, "number")
		doc := fmt.Sprintf("lattice: x\ninputs: {n: {type: number, default: %e}}\nelectrons:\n  a: {run: [ls], args: {n: [%[1]e, {m: %[1]e}]}}\n", f)
		s, err := Decode([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		checked, err := s.Lattice()
		if err != nil {
			t.Fatal(err)
		}
		sent, err := s.Document()
		if err != nil {
			t.Fatal(err)
		}
		received, err := Parse(sent)
		if err != nil || received.ID != checked.ID {
			t.Fatalf("%s was sent as %s: %v", doc, sent, err)
		}
		loaded, err := Load(received.Document)
		if err != nil || loaded.ID != checked.ID {
			t.Fatalf("%s was stored as %s: %v", doc, received.Document, err)
		}
		want, _ := checked.Resolve(0, Scope{})
		for _, l := range []*Lattice{received, loaded} {
			if got, err := l.Resolve(0, Scope{}); err != nil || !cmp.Equal(want, got) || !cmp.Equal(checked.Inputs[0].Default, l.Inputs[0].Default) {
				t.Fatalf("%s: %v, %v\nwant %v", doc, got, err, want)
			}
		}
	})
}
