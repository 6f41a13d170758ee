package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

func TestTriggerFile_takes_back_what_export_prints(t *testing.T) {
	scalar := rapid.OneOf(
		rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int64Range(-1<<53+1, 1<<53-1).AsAny(),
		rapid.Float64Range(-1e6, 1e6).Filter(func(f float64) bool { return f != float64(int64(f)) }).AsAny(),
		rapid.SampledFrom([]any{"yes", "no", "~", "null", "0644", "1e3", "2026-03-01", "- a", "a: b", "# c", "${{ event.path }}", "${{ {'a': 1} }}", " x ", "a\nb\n", "\nA", " a\n\tb", "\t", "", "'", `"`, "\x00"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		specs := []map[string]any{}
		for i := range rapid.IntRange(0, 3).Draw(t, "triggers") {
			spec := map[string]any{"name": "t" + string(rune('a'+i)), "kind": "time"}
			for _, field := range []string{"cron", "inputs", "rate", "batch", "unheard_of"} {
				switch rapid.IntRange(0, 3).Draw(t, field) {
				case 0:
					spec[field] = scalar.Draw(t, field)
				case 1:
					spec[field] = rapid.MapOfN(rapid.String(), scalar, 0, 3).Draw(t, field)
				case 2:
					spec[field] = rapid.SliceOfN(scalar, 0, 3).Draw(t, field)
				}
			}
			specs = append(specs, spec)
		}
		text, err := exported(specs)
		if err != nil {
			t.Fatal(err)
		}
		back, err := readTriggers("x.yaml", "/", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		got := []map[string]any{}
		for _, w := range back {
			got = append(got, w.spec)
		}
		if diff := cmp.Diff(plainJSON(t, specs), plainJSON(t, got)); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
	})
}

func plainJSON(t *rapid.T, v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	back, err := graph.DecodeValue(raw)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestTriggerFile_is_written_in_the_order_in_which_people_think(t *testing.T) {
	text, err := exported([]map[string]any{{
		"settle": "1s", "name": "a", "zzz": int64(1), "kind": "directory", "inputs": map[string]any{"b": "${{ event.path }}", "a": "1"},
		"dispatch_id": "7", "include": []any{"*.tif"}, "when": "${{ event.size > 0 }}",
	}})
	want := `triggers:
  - name: a
    kind: directory
    dispatch_id: "7"
    inputs:
      a: "1"
      b: ${{ event.path }}
    when: ${{ event.size > 0 }}
    include:
      - '*.tif'
    settle: 1s
    zzz: 1
`
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err = exported(nil); err != nil || string(text) != "triggers: []\n" {
		t.Errorf("%v %q", err, text)
	}
}

func TestTriggerFile_reads_paths_and_numbers_as_people_mean_them(t *testing.T) {
	all, err := readTriggers("x.yaml", "/conf", []byte("name: a\ndispatch_id: 7\ndir_path: ../in\n---\n{name: b, dir_path: /abs}\n---\n"))
	if err != nil || len(all) != 2 || all[0].spec["dispatch_id"] != "7" || all[0].spec["dir_path"] != "/in" || all[1].spec["dir_path"] != "/abs" {
		t.Errorf("%v %+v", err, all)
	}
}

func TestTriggerFile_refusals_of_the_daemon_get_a_place(t *testing.T) {
	all, err := readTriggers("x.yaml", "/", []byte("name: a\nkind: time\n---\nname: b\ninputs:\n  n: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		w    written
		no   client.Problem
		want string
	}{
		{all[0], client.Problem{Detail: "no", Code: "name_taken"}, "x.yaml:1:1: a: no"},
		{all[1], client.Problem{Errors: []client.FieldError{{Path: "inputs.n", Message: "bad"}, {Path: "every", Message: "worse"}}}, "x.yaml:6:3: b: inputs.n: bad\nx.yaml:4:1: b: every: worse"},
	} {
		if got := inTrigger("x.yaml", c.w, &client.Refused{Problem: c.no}); got.Error() != c.want {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
	if err := inTrigger("x.yaml", all[0], errFailed); err != errFailed { //nolint:errorlint // the value itself
		t.Error(err)
	}
}

func FuzzTriggerFile(f *testing.F) {
	f.Add("triggers:\n  - name: a\n    kind: time\n---\nname: b\n")
	f.Add(`{"triggers": [{"name": "a"}, 7, {"name": 1}], "x": 1}`)
	f.Add("- name: a\n")
	f.Fuzz(func(t *testing.T, src string) {
		all, err := readTriggers("f", "/", []byte(src))
		for _, w := range all {
			if err != nil || w.name == "" {
				t.Fatalf("%q: %v %+v", src, err, w)
			}
			if _, err := json.Marshal(w.spec); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%q: no place: %v", src, err)
		}
	})
}
