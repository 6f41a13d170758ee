package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

const sweptLattice = `
lattice: swept
inputs:
  bins: {type: integer, minimum: 16, default: 1024}
  x: {type: number, default: 1}
  alg: {type: string, default: lm}
  image: {type: string, format: path, default: /}
  any: {default: 1}
  weights: {type: array, items: {type: number}, default: []}
  rows: {type: array, default: []}
electrons: {work: {run: ["true"]}}
`

func sweptInputs(t *testing.T) *graph.Lattice {
	t.Helper()
	l, err := graph.Parse([]byte(sweptLattice))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReadGrid(t *testing.T) {
	l, dir := sweptInputs(t), t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("a.tif", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ words, grid, inputs, wrong string }{
		{words: `bins:=[64,128] alg=dogbox`, grid: `{"bins":[64,128]}`, inputs: `{"alg":"dogbox"}`},
		{words: `x:=[1,2] bins:=[64] any:=["a",null]`, grid: `{"x":[1,2],"bins":[64],"any":["a",null]}`}, // in the order of the words
		{words: `bins=64`, inputs: `{"bins":64}`},
		{words: `image:=["a.tif","/"]`, grid: `{"image":["` + dir + `/a.tif","/"]}`},
		{words: `weights:=[1,2]`, inputs: `{"weights":[1,2]}`}, // takes a list itself
		{words: `weights:=[]`, inputs: `{"weights":[]}`},
		{words: `weights:=[[1],[2,3]]`, grid: `{"weights":[[1],[2,3]]}`},
		{words: `rows:=[[1],[2]]`, grid: `{"rows":[[1],[2]]}`}, // fits as a whole, too: a list of lists sweeps
		{words: `rows:=[1,[2]]`, inputs: `{"rows":[1,[2]]}`},
		{words: `bins:=[64,"x"]`, grid: `{"bins":[64,"x"]}`}, // the daemon names the combination
		{words: `weights:=["a"]`, wrong: "-i weights: the input takes a list itself: give a list of lists"},
		{words: `bins:=[]`, wrong: "-i bins: the list of its values is empty"},
		{words: `bins:=[64] bins=3`, wrong: "-i bins: the input is given twice"},
		{words: `bims:=[64]`, wrong: "did you mean bins?"},
		{words: `image:=["b.tif"]`, wrong: "-i image: there is no "},
		{words: `bins:=[64`, wrong: "-i bins: not JSON"},
	} {
		var s client.NewSweep
		err := readGrid(strings.Fields(test.words), l, &s)
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%s: %v", test.words, err)
			}
			continue
		}
		if err != nil || string(s.Grid) != test.grid || string(s.Inputs) != test.inputs {
			t.Errorf("%s: grid %s, inputs %s, %v", test.words, s.Grid, s.Inputs, err)
		}
	}
}

func TestReadList(t *testing.T) {
	l, dir := sweptInputs(t), t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("a.tif", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, text, want, wrong string }{
		{name: "a.json", text: `[{"bins": 64}, {"bins": 128, "alg": "x"}]`, want: `[{"bins":64},{"alg":"x","bins":128}]`},
		{name: "a.yaml", text: "- bins: 64\n- {bins: 128, image: a.tif}\n", want: `[{"bins":64},{"bins":128,"image":"` + dir + `/a.tif"}]`},
		{name: "a.csv", text: "bins,alg,x\n64,\"a, b\",1e3\n128,,\n", want: `[{"alg":"a, b","bins":64,"x":1000},{"bins":128}]`},
		{name: "a.csv", text: "\ufeffbins;weights;image\r\n64;[1, 2];a.tif\r\n", want: `[{"bins":64,"image":"` + dir + `/a.tif","weights":[1,2]}]`},
		{name: "a.tsv", text: "bins\tany\n64\ttrue\n", want: `[{"any":true,"bins":64}]`},
		{name: "a.tsv", text: "bins\n64\n", want: `[{"bins":64}]`},
		{name: "a.csv", text: "alg\n12\n", want: `[{"alg":"12"}]`}, // text by its schema
		{name: "a.csv", text: "bins\n", want: `[]`},
		{name: "a.csv", text: "", wrong: "is empty; its first line names inputs"},
		{name: "a.csv", text: "bins\n\"64\nx\n", wrong: "a.csv:3: extraneous or missing"},
		{name: "a.csv", text: "bins,alg\n64\n", wrong: "a.csv:2: the first line names 2 inputs, this one has 1 values"},
		{name: "a.csv", text: "bins,bins\n64,64\n", wrong: "a.csv:1: the column bins is there twice"},
		{name: "a.csv", text: "bims\n64\n", wrong: "a.csv:1: bims: the lattice has no such input; did you mean bins?"},
		{name: "a.csv", text: "bins\n64\n1,5\n", wrong: `a.csv:3: the first line names 1 inputs, this one has 2 values; a value with a "," in it needs quotes`},
		{name: "a.csv", text: "bins\n64\nmany\n", wrong: `a.csv:3: bins: must be an integer, not "many"`},
		{name: "a.csv", text: "image\nb.tif\n", wrong: "a.csv:2: image: there is no "},
		{name: "a.json", text: `{"bins": 64}`, wrong: "must be a list of objects of inputs, not a mapping"},
		{name: "a.json", text: `[64]`, wrong: "a.json:1: must be an object of inputs, not a number"},
		{name: "a.yaml", text: "- bins: 64\n- bims: 3\n", wrong: "a.yaml:2: bims: the lattice has no such input"},
		{name: "a.yaml", text: "- a: [\n", wrong: "a.yaml"},
		{name: "a.yaml", text: "---\n- bins: 1\n---\n- bins: 2\n", wrong: "it holds 2 documents"},
	} {
		if err := os.WriteFile(filepath.Join(dir, test.name), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		rows, err := (&cli{}).readList(test.name, l.Inputs)
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%s %q: %v", test.name, test.text, err)
			}
			continue
		}
		list := make([]any, len(rows))
		for i, row := range rows {
			list[i] = row
		}
		got, bad := graph.Canonical(list)
		if err != nil || bad != nil || string(got) != test.want {
			t.Errorf("%s %q\n got %s %v\nwant %s", test.name, test.text, got, err, test.want)
		}
	}
	if _, err := (&cli{}).readList("nothing.csv", l.Inputs); err == nil || !strings.Contains(err.Error(), "--list: there is no file nothing.csv") {
		t.Error(err)
	}
	rows, err := (&cli{stdin: strings.NewReader(`[{"bins": 1}]`)}).readList("-", l.Inputs)
	if err != nil || len(rows) != 1 {
		t.Errorf("%v %v", rows, err)
	}
}
