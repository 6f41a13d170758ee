package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const printed = `
lattice: p
include: {a.py: {text: "def f(x): return x\n"}, b.txt: {text: b}}
inputs: {n: {type: integer, default: 1}, image: {type: string, format: path, default: /data/a}, where: {type: string, format: directory, default: /data}}
electrons:
  up: {run: [x]}
  py: {python: a.py:f, args: {x: "${{ inputs.n }}", y: "${{ electrons.up.result }}"}}
  sh: {bash: echo 1, env: {N: "${{ inputs.n }}"}, outputs: {o: o.txt}, result: text}
  argv: {run: [cat, "${{ inputs.image }}", "${{ inputs['where'] }}"]}
  any: {bash: "true", env: {K: "${{ keys(inputs) }}"}}
`

// print makes the fingerprint of an electron whose neighbour has left up.
func fingerprintOf(t *testing.T, l *Lattice, name string, n int64, up any) (int, Fingerprint) {
	t.Helper()
	i, ok := l.Index(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	in, err := l.Bind(map[string]any{"n": n})
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Resolve(i, Scope{Inputs: in, Electrons: map[string]*Outcome{"up": {Result: up}}})
	if err != nil {
		t.Fatal(err)
	}
	return i, l.Fingerprint(i, r, nil, nil)
}

func TestFingerprint_names_each_part_that_changed(t *testing.T) {
	before, err := Parse([]byte(printed))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long", 20)
	for _, c := range []struct {
		name, electron string
		from, to       string // in the document
		n              int64
		up             any
		want           string
	}{
		{"nothing", "py", "", "", 1, "u", ""},
		{"what is not in it", "py", "x: \"${{ inputs.n }}\", y: \"${{ electrons.up.result }}\"}", "x: \"${{ inputs.n }}\", y: \"${{ electrons.up.result }}\"}, timeout: 1h, retries: {max: 3}, executor: other, resources: {cpus: 2}, grace: 1s", 1, "u", ""},
		{"a description", "sh", "lattice: p\n", "lattice: p\ndescription: other\n", 1, "u", ""},
		{"an argument", "py", "", "", 2, "u", "args.x was 1, is 2"},
		{"an upstream result", "py", "", "", 1, "v", `upstream up ran again and its result differs`},
		{"a long argument", "py", "${{ inputs.n }}", long, 1, "u", "args.x differs"},
		{"another argument", "py", "x: \"${{ inputs.n }}\"", "z: 1", 1, "u", "args.x is gone; args.z is new"},
		{"an included file", "py", "return x", "return 1+x", 1, "u", "a.py changed"},
		{"a new file", "sh", "b.txt: {text: b}", "b.txt: {text: b}, c.txt: {text: c}", 1, "u", "c.txt is new"},
		{"a file that is gone", "sh", ", b.txt: {text: b}", "", 1, "u", "b.txt is gone"},
		{"another function", "py", "a.py:f", "a.py:g", 1, "u", "its python changed"},
		{"an interpreter", "py", "python: a.py:f", "python: {call: a.py:f, interpreter: python3.12}", 1, "u", "its python changed"},
		{"a script", "sh", "echo 1", "echo 2", 1, "u", "its bash changed"},
		{"the kind", "sh", "bash: echo 1", "run: [echo]", 1, "u", "it was bash, is run; run had 0 words, has 1"},
		{"the environment", "sh", "", "", 2, "u", "env.N differs"},
		{"a variable that is unset", "sh", "N: \"${{ inputs.n }}\"", "N: null", 1, "u", "env.N differs"},
		{"the outputs", "sh", "o: o.txt", "o: p.txt", 1, "u", "its outputs changed"},
		{"the result mode", "sh", "result: text", "result: lines", 1, "u", "result was text, is lines"},
		{"a word", "argv", "[cat,", "[tac,", 1, "u", `run[0] was "cat", is "tac"`},
		{"a path", "argv", "default: /data/a}", "default: /data/b}", 1, "u", `run[1] was "/data/a", is "/data/b"`},
		{"more words", "argv", "[cat,", "[cat, -n,", 1, "u", "run had 3 words, has 4"},
		{"many", "py", "x: \"${{ inputs.n }}\"", "a: 1, b: 2, c: 3", 1, "u", "args.a is new; args.b is new; args.c is new; and 1 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, was := fingerprintOf(t, before, c.electron, 1, "u")
			if c.from != "" && !strings.Contains(printed, c.from) {
				t.Fatalf("%q is not in the document", c.from)
			}
			now, err := Parse([]byte(strings.Replace(printed, c.from, c.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			i, f := fingerprintOf(t, now, c.electron, c.n, c.up)
			raw, err := was.Encode()
			if err != nil {
				t.Fatal(err)
			}
			read, ok := DecodeFingerprint(raw)
			if !ok {
				t.Fatalf("%s can't be read", raw)
			}
			up, _ := now.Index("up")
			got := now.Differences(i, f, Compared{Before: read, Lattice: before, RanAgain: func(e int) bool { return e == up }})
			if got != c.want {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

func TestFingerprint_of_files_that_are_assets_is_that_of_their_bytes(t *testing.T) {
	inline := Include{Data: []byte("b")}
	asset := Include{SHA256: inline.hash()}
	a, b := &Lattice{Include: map[string]Include{"x": inline}}, &Lattice{Include: map[string]Include{"x": asset}}
	if a.included() != b.included() || a.included() == "" {
		t.Errorf("%s and %s", a.included(), b.included())
	}
}

func TestFingerprint_hides_the_environment(t *testing.T) {
	l, err := Parse([]byte("lattice: p\nelectrons: {a: {bash: 'true', env: {TOKEN: hunter2}}}"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Resolve(0, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	f := l.Fingerprint(0, r, nil, nil)
	raw, err := f.Encode()
	if err != nil || strings.Contains(string(raw), "hunter2") {
		t.Errorf("%s: %v", raw, err)
	}
}

func TestDecodeFingerprint_refuses_what_it_does_not_know(t *testing.T) {
	for _, raw := range []string{"", "{", `{"v":99,"kind":"run"}`, `[]`} {
		if f, ok := DecodeFingerprint([]byte(raw)); ok {
			t.Errorf("%q is read as %+v", raw, f)
		}
	}
}

func TestPaths_are_those_that_an_electron_looks_at(t *testing.T) {
	l := mustParse(t, printed)
	in, err := l.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	both := map[string]string{"image": "/data/a", "where": "/data"}
	for name, want := range map[string]map[string]string{"argv": both, "py": nil, "sh": nil, "up": nil, "any": both} {
		i, _ := l.Index(name)
		if diff := cmp.Diff(want, l.Paths(i, in)); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
	}
}

func TestPaths_are_also_those_within_inputs(t *testing.T) {
	l := mustParse(t, `
lattice: p
inputs:
  images: {type: array, items: {type: string, format: path}}
  scan: {type: object, properties: {dark: {type: string, format: path}, gain: {type: number}}}
  mask: {anyOf: [{type: string, format: path}, {const: none}]}
  title: {type: string}
electrons: {a: {bash: "true", args: {x: "${{ inputs.images }}", y: "${{ inputs.scan.gain }}", m: "${{ inputs.mask }}", t: "${{ inputs.title }}"}}}
`)
	for _, c := range []struct {
		mask string
		want map[string]string
	}{
		{"none", map[string]string{"images[0]": "/a", "images[1]": "/b", "scan.dark": "/d"}},
		{"/m", map[string]string{"images[0]": "/a", "images[1]": "/b", "scan.dark": "/d", "mask": "/m"}},
	} {
		in, err := l.Bind(map[string]any{"images": []any{"/a", "/b"}, "scan": map[string]any{"dark": "/d", "gain": 1.5}, "mask": c.mask, "title": "/t"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, l.Paths(0, in)); diff != "" {
			t.Error(diff)
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	l, err := Parse([]byte(printed))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"argv", "py", "sh"} {
		b.Run(name, func(b *testing.B) {
			i, _ := l.Index(name)
			in, err := l.Bind(nil)
			if err != nil {
				b.Fatal(err)
			}
			r, err := l.Resolve(i, Scope{Inputs: in, Electrons: map[string]*Outcome{"up": {Result: "u"}}})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				f := l.Fingerprint(i, r, nil, nil)
				if _, err := f.Encode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
