package local

import (
	"strings"
	"testing"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

func TestPython(t *testing.T) {
	e := newPlace(t).start()
	for name, c := range map[string]struct{ code, want, note string }{
		"plain_values":      {"return {'a': [1, 2.5, None, True, 'ü']}", `{"a":[1,2.5,null,true,"ü"]}`, ""},
		"nothing":           {"pass", ``, ""},
		"false_is_a_value":  {"return False", `false`, ""},
		"large_integer":     {"return 2**63 - 1", `9223372036854775807`, ""},
		"tuple":             {"return (1, 2)", `[1,2]`, "tuple"},
		"nan":               {"return [float('nan'), float('inf')]", `[null,null]`, "NaN"},
		"keys":              {"return {1: 'a'}", `{"1":"a"}`, "dict"},
		"set":               {"return {3, 1, 2}", `[1,2,3]`, "set"},
		"bytes":             {"return b'ab'", `"ab"`, "bytes"},
		"beyond_64_bits":    {"return 2**64", `"18446744073709551616"`, "64 bits"},
		"date":              {"import datetime; return datetime.date(2026, 1, 2)", `"2026-01-02"`, "date"},
		"surrogate":         {"return '\\ud800'", `"?"`, "str"},
		"numpy_like_scalar": {fakeNumpy + "return {'x': Float64(1.5), 'n': Float64(float('nan'))}", `{"n":null,"x":1.5}`, "pickle"},
		"refers_to_itself":  {"a = []; a.append(a); return a", ``, "deeply"},
		"not_picklable":     {"return [lambda: 1]", ``, "can't be pickled"},
		"coroutine":         {"async_main = None\n    import asyncio\n    async def f():\n        return 7\n    return asyncio.run(f())", `7`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := mustRun(t, e, task(kindPython, "def main():\n    "+c.code+"\n"))
			if res.Error != nil {
				t.Fatalf("%+v\n%s", res.Error, res.Stderr.Data)
			}
			if c.want != "" || c.note == "" {
				if got := canonical(t, res.Value); got != c.want {
					t.Errorf("value %s, want %s", got, c.want)
				}
			}
			notes := strings.Join(res.Notes, "; ")
			if !strings.Contains(notes, c.note) || c.note == "" && (notes != "" || res.Pickle != nil) {
				t.Errorf("notes %q, pickle %v", notes, res.Pickle != nil)
			}
			res.Release(false)
		})
	}
}

const fakeNumpy = `
    class Float64(float):
        dtype = "float64"
        shape = ()
        def item(self): return float(self)
        def __reduce__(self): return (float, (float(self),))
    `

func canonical(t *testing.T, raw []byte) string {
	if raw == nil {
		return ""
	}
	v, err := graph.DecodeValue(raw)
	if err != nil {
		t.Fatal(err)
	}
	b, err := graph.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPython_async_main_is_awaited(t *testing.T) {
	e := newPlace(t).start()
	if res := mustRun(t, e, task(kindPython, "async def main():\n    return 7\n")); string(res.Value) != "7" {
		t.Errorf("value %s, %+v", res.Value, res.Error)
	}
}

func TestPython_arguments_are_keywords(t *testing.T) {
	e := newPlace(t).start()
	tk := task(kindPython, "def main(path, bins=3, *, flag):\n    print('said')\n    return [path, bins, flag]\n")
	tk.Args = map[string]any{"path": "a b", "bins": int64(5), "flag": true}
	res := mustRun(t, e, tk)
	if string(res.Value) != `["a b",5,true]` || string(res.Stdout.Data) != "said\n" {
		t.Errorf("value %s, stdout %q, %+v", res.Value, res.Stdout.Data, res.Error)
	}
}

func TestPython_included_file(t *testing.T) {
	e := newPlace(t).start()
	tk := task(kindPython, "")
	tk.Body = graph.Body{Kind: kindPython, PythonFile: "lib/work.py", PythonFunc: "Job.run"}
	tk.Files = []executors.File{
		{Name: "lib/work.py", Data: []byte("from lib.other import twice\nimport json\nclass Job:\n    @staticmethod\n    def run(x): return twice(x)\n")},
		{Name: "lib/other.py", Data: []byte("def twice(x): return 2 * x\n")},
		{Name: "json.py", Data: []byte("raise SystemExit('the wrong json')\n")}, // called like one of the library's
	}
	tk.Args = map[string]any{"x": int64(21)}
	if res := mustRun(t, e, tk); string(res.Value) != "42" {
		t.Errorf("value %s, %+v", res.Value, res.Error)
	}
}

func TestPython_objects_are_handed_on(t *testing.T) {
	e := newPlace(t).start()
	module := executors.File{Name: "shape.py", Data: []byte(
		"class Box:\n    def __init__(self, n): self.n = n\ndef make(): return Box((1, 2))\ndef open(box): return list(box.n) + [type(box).__name__, type(box.n).__name__]\n")}
	first := task(kindPython, "")
	first.Body = graph.Body{Kind: kindPython, PythonFile: "shape.py", PythonFunc: "make"}
	first.Files = []executors.File{module}
	made := mustRun(t, e, first)
	if made.Pickle == nil {
		t.Fatalf("no pickle: %+v %v", made.Error, made.Notes)
	}
	second := task(kindPython, "")
	second.Body = graph.Body{Kind: kindPython, PythonFile: "shape.py", PythonFunc: "open"}
	second.Files = []executors.File{module}
	second.Args = map[string]any{"box": "the view"}
	second.Pickles = map[string]executors.File{"box": *made.Pickle}
	if res := mustRun(t, e, second); string(res.Value) != `[1,2,"Box","tuple"]` {
		t.Errorf("value %s, %+v", res.Value, res.Error)
	}
}

func TestPython_failures_say_what_is_wrong(t *testing.T) {
	e := newPlace(t).start()
	for name, c := range map[string]struct{ code, errorCode, message, stderr string }{
		"exception": {
			"def main():\n    raise ValueError('bad\\nthing')\n", executors.CodeException, "ValueError: bad\nthing", ", line 2, in main\n",
		},
		"syntax":          {"def main(:\n", executors.CodeException, "SyntaxError: invalid syntax", "line 1"},
		"no_main":         {"x = 1\n", executors.CodeException, "AttributeError: the block defines no main", ""},
		"exit_status":     {"import sys\ndef main():\n    sys.exit(9)\n", executors.CodeExit, "exit status 9", ""},
		"wrong_arguments": {"def main(x): pass\n", executors.CodeException, "TypeError: main() missing 1 required positional argument: 'x'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := mustRun(t, e, task(kindPython, c.code))
			if code(res) != c.errorCode || res.Error.Message != c.message {
				t.Fatalf("%+v", res.Error)
			}
			if res.Stderr != nil && (!strings.Contains(string(res.Stderr.Data), c.stderr) || strings.Contains(string(res.Stderr.Data), shimFile)) {
				t.Errorf("stderr:\n%s", res.Stderr.Data)
			}
		})
	}
}

func TestPython_interpreter_is_chosen(t *testing.T) {
	e := newPlace(t).start()
	tk := task(kindPython, "def main(): return 1\n")
	tk.Body.Interpreter = "python-that-is-not-there"
	if _, err := e.Run(t.Context(), tk); !executors.IsPermanent(err) {
		t.Errorf("error %v", err)
	}
	tk = task(kindPython, "import sys\ndef main(): return sys.executable\n")
	tk.Body.Interpreter = "/usr/bin/python3"
	if !exists(tk.Body.Interpreter) {
		return
	}
	if res := mustRun(t, e, tk); string(res.Value) != `"/usr/bin/python3"` {
		t.Errorf("value %s", res.Value)
	}
}
