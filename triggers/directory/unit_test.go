package directory

import (
	"errors"
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestUnit_fields(t *testing.T) {
	object := func(pairs ...any) map[string]any {
		m := map[string]any{"dir_path": "/in"}
		for i := 0; i < len(pairs); i += 2 {
			name, ok := pairs[i].(string)
			if !ok {
				t.Fatal(pairs[i])
			}
			m[name] = pairs[i+1]
		}
		return m
	}
	list := func(words ...any) []any { return words }
	many := make([]any, maxUnitGlobs+1)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	for name, c := range map[string]struct {
		fields map[string]any
		want   string
	}{
		"a_folder":                   {object("unit", "folder", "depth", int64(2), "marker", map[string]any{"all": "done"}, "expect", map[string]any{"count": int64(3), "manifest": "*.md5"}, "deadline", "1h", "on_deadline", "fire"), ""},
		"a_set":                      {object("group", map[string]any{"by": `^(\d+)`, "need": list("*.a", "*.b")}, "expect", map[string]any{"count": int64(3)}), ""},
		"a_file_with_marker":         {object("marker", map[string]any{"any": list("*.done")}, "deadline", "1m"), ""},
		"an_unknown_unit":            {object("unit", "set"), `unit: must be one of file, folder, not "set"`},
		"depth_of_files":             {object("depth", int64(1)), "depth: means nothing without unit: folder"},
		"depth_of_nothing":           {object("unit", "folder", "depth", int64(0)), "depth: must be between 1 and 32, not 0"},
		"kinds_of_folders":           {object("unit", "folder", "event_names", list("closed")), "event_names: with unit: folder, closed is not known: take created, ready, deleted"},
		"kinds_of_sets":              {object("group", map[string]any{"by": "(.)"}, "event_names", list("ready", "deleted")), "event_names: with group, deleted is not known: take ready"},
		"by_without_capture":         {object("group", map[string]any{"by": "x"}), `group.by: captures nothing: put what the files of a set share into parentheses, such as ^scan-(\d+)\.`},
		"by_that_does_not_compile":   {object("group", map[string]any{"by": "("}), "group.by: is not a regular expression: error parsing regexp: missing closing ): `(`"},
		"a_capture_that_tells_apart": {object("group", map[string]any{"by": `^(.+)\.(json|bin)$`, "need": list("*.json", "*.bin")}), "group.by: the capture (json|bin) tells apart what group.need wants in one set, so that no set would ever be complete; write (?:json|bin)"},
		"a_choice_in_the_key":        {object("group", map[string]any{"by": `^(left|right)_\d\.`, "need": list("*.json", "*.bin")}), ""},
		"need_without_by":            {object("group", map[string]any{"need": list("*.a")}), `group.by: is missing: a regular expression whose capture is the key of a set, such as ^scan-(\d+)\.`},
		"need_that_is_no_glob":       {object("group", map[string]any{"by": "(.)", "need": list("[")}), `group.need[0]: "[" is not a glob: empty, an open [ or a \ at its end`},
		"an_unknown_word":            {object("marker", map[string]any{"every": "x"}), `marker.every: unknown field "every"`},
		"no_marker":                  {object("marker", map[string]any{}), "marker: must name files: {all: [RTAComplete.txt]} or {any: […]}"},
		"too_many_markers":           {object("unit", "folder", "marker", map[string]any{"all": many}), "marker.all: may hold 20 globs at most"},
		"group_and_folder":           {object("unit", "folder", "group", map[string]any{"by": "(.)"}), "group: and unit: folder are two ways to say what belongs together; give one"},
		"group_and_marker":           {object("group", map[string]any{"by": "(.)"}, "marker", map[string]any{"all": "x"}), "marker: does not go with group: name the marker in group.need, and let group.by match it"},
		"expect_of_files":            {object("expect", map[string]any{"count": int64(1)}), "expect: means nothing for single files; it is for unit: folder and group"},
		"expect_nothing":             {object("unit", "folder", "expect", map[string]any{}), "expect: must say what: {count: N} or {manifest: NAME}"},
		"manifest_of_sets":           {object("group", map[string]any{"by": "(.)"}, "expect", map[string]any{"manifest": "x"}), "expect.manifest: is for unit: folder: it lists the files of a folder"},
		"deadline_of_files":          {object("deadline", "1h"), "deadline: means nothing without unit: folder, group or marker: single files wait for nothing but settle"},
		"on_deadline_alone":          {object("unit", "folder", "on_deadline", "fire"), "on_deadline: means nothing without deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := triggers.Make(Kind(Options{}), c.fields)
			var invalid *graph.Invalid
			var got []string
			if errors.As(err, &invalid) {
				for _, p := range invalid.Problems {
					got = append(got, p.Path+": "+p.Message)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(strings.Join(got, "\n"), c.want) || c.want == "" && len(got) > 0 {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

func TestUnit_edits_keep_what_is_under_way(t *testing.T) {
	w := newWorld(t)
	w.add(`,"unit":"folder","settle":"100ms","marker":{"all":["done"]}`)
	w.lay("a/1.dat", "b/1.dat")
	w.stays("", 300_000_000)
	w.revise(`{"marker":{"all":["1.dat"]}}`) // another rule for the same units
	w.reports("ready a 1, ready b 1")
	w.revise(`{"depth":2}`) // other units: a new baseline
	w.lay("x/y/1.dat")
	w.reports("ready a 1, ready b 1, ready x/y 1")
	w.revise(`{"unit":"file","depth":null,"marker":null,"recursive":true}`)
	w.lay("x/y/2.dat")
	w.reports("ready a 1, ready b 1, ready x/y 1, ready x/y/2.dat 0 incomplete")
}
