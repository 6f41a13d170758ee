package graph

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPaths_are_those_an_electron_looks_at(t *testing.T) {
	l, err := Parse([]byte(`
lattice: paths
inputs:
  image: {type: string, format: path}
  images: {type: array, items: {type: string, format: path}}
  scan: {type: object, properties: {dark: {type: string, format: path}, where: {anyOf: [{type: string, format: directory}, {type: number}]}}}
  note: {type: string}
  key: {type: string}
electrons:
  run: {run: [x, "${{ inputs.image }}", "${{ inputs.note }}"]}
  env: {run: [x], env: {A: "of ${{ inputs.images[0] }} …"}}
  args: {python: "f.py:f", args: {a: [{b: "${{ inputs.scan }}"}]}}
  any: {run: [x, "${{ inputs[inputs.key] }}"]}
  none: {run: [x, "${{ inputs.note }}"]}
  if: {run: [x], if: "${{ inputs.image != '' }}"}
include: {f.py: {text: "def f(a): pass"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]any{
		"image": "/a.tif", "images": []any{"/b.tif", "relative", "/c.tif"}, "note": "/no/path",
		"scan": map[string]any{"dark": "/d.tif", "where": int64(5), "more": []any{map[string]any{"odd key": "/e.tif"}}}, "key": "image",
	}
	images := map[string]string{"images[0]": "/b.tif", "images[2]": "/c.tif"}
	scan := map[string]string{"scan.dark": "/d.tif", `scan.more[0]["odd key"]`: "/e.tif"}
	all := map[string]string{"image": "/a.tif"}
	for _, m := range []map[string]string{images, scan} {
		for k, v := range m {
			all[k] = v
		}
	}
	for name, want := range map[string]map[string]string{
		"run": {"image": "/a.tif"}, "env": images, "args": scan, "any": all, "none": nil, "if": nil,
	} {
		if diff := cmp.Diff(want, l.Paths(l.index[name], inputs)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
