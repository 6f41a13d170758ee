package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
)

const xrdDoc = `
lattice: xrd_integrate                    # name
description: "Integrate a detector image, ${{ no expression }}"
include:
  integrate.py: {text: "def integrate(path, bins): pass"}
  plot.gp: {base64: "cGxvdAo="}
  xrdlib/big.bin: {sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}
inputs:
  image: {type: string, format: path}
  bins:  {type: integer, minimum: 16, default: 1024}
executor: local
electrons:
  integrate:
    python: integrate.py:integrate
    args: {path: "${{ inputs.image }}", bins: "${{ inputs.bins }}"}
    resources: {cpus: 2, memory: 4GiB, time: 1h}
    retries: {max: 3, backoff: 10s}
    timeout: 10m
  plot:
    bash: gnuplot -e "curve='$CURVE'" plot.gp > plot.svg
    env: {CURVE: "${{ electrons.integrate.result.curve }}", DISPLAY: null}
    outputs: {plot: plot.svg, log: {path: logs/plot.txt, optional: true}}
    executor: big
    grace: 1s
  publish:
    run: [cp, "${{ electrons.plot.files.plot }}", /srv/plots/]
    wait_for: [integrate]
    if: ${{ inputs.bins > 100 }}
    result: lines
output: {curve: "${{ electrons.integrate.result }}"}
`

func TestParse_reads_everything(t *testing.T) {
	l := mustParse(t, xrdDoc)
	want := []Spec{
		{
			Name: "integrate", Executor: "local", Grace: 5 * time.Second, Timeout: 10 * time.Minute,
			Body:      Body{Kind: "python", PythonFile: "integrate.py", PythonFunc: "integrate", Interpreter: "python3"},
			Retries:   Retries{Max: 3, Backoff: 10 * time.Second, Lost: 1},
			Resources: Resources{CPUs: 2, Memory: 4 << 30, Time: time.Hour},
		},
		{
			Name: "plot", Executor: "big", Grace: time.Second,
			Body:    Body{Kind: "bash", Bash: `gnuplot -e "curve='$CURVE'" plot.gp > plot.svg`},
			Retries: Retries{Backoff: time.Second, Lost: 1},
			Needs:   []Need{{Electron: 0, Data: true}},
			Outputs: []Output{{Name: "log", Path: "logs/plot.txt", Optional: true}, {Name: "plot", Path: "plot.svg"}},
		},
		{
			Name: "publish", Executor: "local", Grace: 5 * time.Second, Result: "lines",
			Body:    Body{Kind: "run"},
			Retries: Retries{Backoff: time.Second, Lost: 1},
			Needs:   []Need{{Electron: 0, Order: true}, {Electron: 1, Data: true}},
		},
	}
	if diff := cmp.Diff(want, l.Electrons, cmpopts.IgnoreUnexported(Spec{}), cmpopts.IgnoreFields(Spec{}, "Run", "Env", "Args", "If"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if len(l.Electrons[0].Args) != 2 || len(l.Electrons[2].Run) != 3 || l.Electrons[2].If == nil || l.Electrons[1].Env["DISPLAY"] != nil {
		t.Error("args, run, if or env are not as written")
	}
	files := map[string]Include{
		"integrate.py":   {Data: []byte("def integrate(path, bins): pass")},
		"plot.gp":        {Data: []byte("plot\n")},
		"xrdlib/big.bin": {SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	}
	if diff := cmp.Diff(files, l.Include); diff != "" {
		t.Error(diff)
	}
	inputs := []Input{
		{Name: "bins", Type: "integer", Schema: json.RawMessage(`{"default":1024,"minimum":16,"type":"integer"}`), Default: int64(1024)},
		{Name: "image", Type: "string", Format: "path", Schema: json.RawMessage(`{"format":"path","type":"string"}`), Required: true},
	}
	if diff := cmp.Diff(inputs, l.Inputs, cmpopts.IgnoreUnexported(Input{})); diff != "" {
		t.Error(diff)
	}
	if l.Name != "xrd_integrate" || l.Description != "Integrate a detector image, ${{ no expression }}" || l.OnFailure != "stop" || l.Executor != "local" {
		t.Errorf("%s, %s, %s, %s", l.Name, l.Description, l.OnFailure, l.Executor)
	}
	if i, ok := l.Index("plot"); i != 1 || !ok {
		t.Errorf("plot is electron %d, %v", i, ok)
	}
}

func TestParse_id_is_the_hash_of_the_canonical_document(t *testing.T) {
	yaml := mustParse(t, "lattice: x\n# comment\nelectrons:\n  b: {run: [echo, 1.0, 1e3, \"\\u00e9\"]}\n  a: {run: [ls]}\n")
	const canonical = `{"electrons":{"a":{"run":["ls"]},"b":{"run":["echo",1,1000,"é"]}},"lattice":"x"}`
	if string(yaml.Document) != canonical {
		t.Errorf("%s", yaml.Document)
	}
	sum := sha256.Sum256([]byte(canonical))
	if yaml.ID != hex.EncodeToString(sum[:]) {
		t.Error(yaml.ID)
	}
	fromJSON := mustParse(t, "\ufeff{ \"electrons\": {\"b\": {\"run\": [\"echo\", 1, 1000, \"\\u00E9\"]}, \"a\": {\"run\": [\"ls\"]}}, \"lattice\": \"x\" }\n")
	if fromJSON.ID != yaml.ID {
		t.Errorf("the same document has the ids %s and %s", yaml.ID, fromJSON.ID)
	}
}

// sameLattice ignores what is compiled.
func sameLattice(a, b *Lattice) string {
	return cmp.Diff(a, b, cmpopts.IgnoreUnexported(Input{}, Lattice{}, Spec{}), cmp.Comparer(func(x, y *Template) bool {
		return x == nil && y == nil || x != nil && y != nil && x.typ == y.typ && fmt.Sprint(x.refs) == fmt.Sprint(y.refs)
	}))
}

func TestLoad_is_what_Parse_was(t *testing.T) {
	for name, doc := range map[string]string{
		"xrd": xrdDoc, "inputs": bindDoc,
		"numbers": "lattice: n\nelectrons: {a: {run: [x, 1.5, 1e20, 6.02214076e23, -0.0, 1e18], args: {a: 1e18}}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			parsed := mustParse(t, doc)
			loaded, err := Load(parsed.Document)
			if err != nil {
				t.Fatal(err)
			}
			if diff := sameLattice(parsed, loaded); diff != "" {
				t.Error(diff)
			}
			again := mustParse(t, doc)
			if again.ID != loaded.ID {
				t.Errorf("%s and %s", again.ID, loaded.ID)
			}
		})
	}
	for _, doc := range []string{``, `{`, `[]`, `{"lattice":"x"}`} {
		var invalid *Invalid
		if _, err := Load([]byte(doc)); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestParse_python_bodies(t *testing.T) {
	for python, want := range map[string]Body{
		`"a.py:run"`: {PythonFile: "a.py", PythonFunc: "run"},
		`{call: "lib/b.py:main", interpreter: /opt/venv/bin/python}`:           {PythonFile: "lib/b.py", PythonFunc: "main", Interpreter: "/opt/venv/bin/python"},
		"|\n      def main(x):\n        return x\n":                            {PythonCode: "def main(x):\n  return x\n", PythonFunc: "main"},
		"{call: \"from a import f as main\"}":                                  {PythonCode: "from a import f as main", PythonFunc: "main"},
		"|\n      import json\n      async def main():\n        return json\n": {PythonCode: "import json\nasync def main():\n  return json\n", PythonFunc: "main"},
		`"main = lambda: 1"`: {PythonCode: "main = lambda: 1", PythonFunc: "main"},
	} {
		l := mustParse(t, "lattice: x\ninclude: {a.py: {text: a}, lib/b.py: {text: b}}\nelectrons:\n  e:\n    python: "+python+"\n")
		want.Kind = "python"
		if want.Interpreter == "" {
			want.Interpreter = "python3"
		}
		if diff := cmp.Diff(want, l.Electrons[0].Body); diff != "" {
			t.Errorf("%s\n%s", python, diff)
		}
	}
}

func TestParse_yaml_anchors_and_merges(t *testing.T) {
	l := mustParse(t, `
lattice: x
electrons:
  a: &base
    bash: make
    env: &env {A: "1", B: "2"}
    timeout: 5s
  b:
    <<: *base
    timeout: 7s
    env: {<<: *env, B: "3"}
`)
	b := l.Electrons[1]
	if b.Body.Bash != "make" || b.Timeout != 7*time.Second || len(b.Env) != 2 {
		t.Errorf("%+v", b)
	}
	if v, _ := b.Env["B"].Constant(); v != "3" {
		t.Errorf("B is %v", v)
	}
}

func TestParse_yaml_bombs_are_refused(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		p := string(c - 1)
		bomb += fmt.Sprintf("%c: &%c [*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s]\n", c, c, p, p, p, p, p, p, p, p, p)
	}
	for name, doc := range map[string]string{"aliases": bomb, "depth": strings.Repeat("[", 5000), "json depth": `{"a":` + strings.Repeat("[", 5000), "loop": "a: &a [*a]\n"} {
		_, err := Parse([]byte(doc))
		var invalid *Invalid
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParse_problems_have_an_end(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("lattice: x\nelectrons:\n")
	for i := range 1000 {
		fmt.Fprintf(&doc, "  e%d: {bsh: ls}\n", i)
	}
	_, err := Parse([]byte(doc.String()))
	var invalid *Invalid
	if !errors.As(err, &invalid) || len(invalid.Problems) != maxProblems+1 || !strings.HasSuffix(err.Error(), "there may be more problems; these are the first found") {
		t.Errorf("%v", err)
	}
}

func TestParse_dates_and_words_stay_text(t *testing.T) {
	l := mustParse(t, "lattice: x\nelectrons: {a: {run: [x], args: {d: 2024-01-31, y: yes, n: No, t: true, nl: ~, h: 0x1F, u: 1_000}}}\n")
	got := map[string]any{}
	for name, a := range l.Electrons[0].Args {
		got[name], _ = a.Constant()
	}
	want := map[string]any{"d": "2024-01-31", "y": "yes", "n": "No", "t": true, "nl": nil, "h": int64(31), "u": int64(1000)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		xrdDoc, bindDoc, "lattice: x\nelectrons: {a: {run: [ls]}}\n", `{"lattice":"x","electrons":{"a":{"run":["ls"]}}}`, "&a [*a]", "a: !!float x", "? [a]\n: b",
		"lattice: x\ninputs: {a: {$ref: '#'}}\nelectrons: {a: {run: [ls]}}", "<<: [1]", "\xff", "lattice: x\nelectrons: {a: {run: [1e16]}}", "a: 'b\n---\n", "!!map {a: b}", "{\"a\": \"\\ud83d\\ude00\"}",
	} {
		f.Add([]byte(s))
	}
	if a, err := txtar.ParseFile("testdata/wrong.txtar"); err == nil {
		for _, file := range a.Files {
			f.Add(file.Data)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		l, err := Parse(src)
		var invalid *Invalid
		if err != nil {
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
				t.Fatalf("%v is not an *Invalid", err)
			}
			return
		}
		loaded, err := Load(l.Document)
		if err != nil {
			t.Fatalf("what was parsed can't be loaded: %v\n%s", err, l.Document)
		}
		if diff := sameLattice(l, loaded); diff != "" {
			t.Fatal(diff)
		}
		s, err := Decode(src)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := s.Document()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(sent)
		if err != nil || again.ID != l.ID {
			t.Fatalf("what would be sent is another lattice: %v\n%s", err, sent)
		}
	})
}

// A document that is wrong everywhere must not keep the daemon busy.
func BenchmarkParse_10000_wrong_references(b *testing.B) {
	var doc strings.Builder
	doc.WriteString("lattice: x\nelectrons:\n")
	for i := range 10_000 {
		fmt.Fprintf(&doc, "  electron_number_%05d: {run: [a, \"${{ electrons.electron_nmber_%05d.result }}\"], wait_for: [elektron_number_%05d]}\n", i, i, i)
	}
	for b.Loop() {
		if _, err := Parse([]byte(doc.String())); err == nil {
			b.Fatal("an error is expected")
		}
	}
}

// wideDoc is a lattice of n electrons in layers of ten.
func wideDoc(n int) []byte {
	var b strings.Builder
	b.WriteString("lattice: wide\ninputs:\n  image: {type: string, format: path}\n  bins: {type: integer, default: 8}\nelectrons:\n")
	for i := range n {
		fmt.Fprintf(&b, "  e%04d:\n    run: [prog, \"${{ inputs.image }}\", \"--bins=${{ inputs.bins }}\"]\n    args: {i: %d}\n    timeout: 10m\n", i, i)
		if i >= 10 {
			fmt.Fprintf(&b, "    env: {PREV: \"${{ electrons.e%04d.result.value }}\"}\n", i-10)
		}
	}
	return []byte(b.String())
}

func BenchmarkParse_1000_electrons(b *testing.B) {
	doc := wideDoc(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad_1000_electrons(b *testing.B) {
	doc := mustParse(b, string(wideDoc(1000))).Document
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad_1_electron(b *testing.B) {
	doc := mustParse(b, string(wideDoc(1))).Document
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(doc); err != nil {
			b.Fatal(err)
		}
	}
}
