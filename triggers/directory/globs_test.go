package directory

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestFilter(t *testing.T) {
	tests := []struct {
		name   string
		filter filter
		counts string // names that count
		not    string // and such that don't
	}{
		{"everything_counts_by_default", filter{}, "a a.dat d/a .hidden d/.x", ""},
		{"without_a_slash_the_base_name_matters", filter{include: []string{"*.tif"}}, "a.tif d/e/a.tif", "a.TIF a.tiff d.tif/a"},
		{"with_a_slash_the_whole_name", filter{include: []string{"run-*/*.tif"}}, "run-1/a.tif", "a.tif run-1/x/a.tif x/run-1/a.tif"},
		{"two_stars_are_any_number_of_folders", filter{include: []string{"**/raw/**/*.tif"}}, "raw/a.tif a/raw/a.tif a/b/raw/c/d/a.tif", "a.tif rawx/a.tif"},
		{"alternatives", filter{include: []string{"*.{tif,tiff}", "{a,b}/*"}}, "x.tif x.tiff a/x b/x", "x.png c/x"},
		{"exclude_wins", filter{include: []string{"*.tif"}, exclude: []string{"thumb_*"}}, "a.tif", "thumb_a.tif d/thumb_a.tif"},
		{"an_excluded_folder_takes_what_is_in_it", filter{exclude: []string{"tmp/**", "results", "a/b"}}, "x tmpx/a a/c b/a", "tmp/x tmp/d/x results/x d/results/e/x results a/b/c"},
		{"case_counts", filter{include: []string{"*.tif"}}, "a.tif", "a.TIF"},
		{"unless_it_does_not", filter{include: []string{"*.Tif", "RUN/[A-C]*"}, ignoreCase: true}, "a.TIF A.tif run/bx Run/Ax", "run/d"},
		{"names_may_hold_anything", filter{include: []string{"caf*", "*\n*"}}, "caf\xe9 a\nb", "x"},
		// Pain point 9: names of files that are not whole yet.
		{
			"partial_files_do_not_count",
			filter{},
			"a.parts part a.tmpl ~a #a tmp .NAME.abc .x.abcde! x.abcdef .abcdef .syncthing.a",
			"a.part a.partial a.crdownload a.download a.filepart a.tmp .~lock ~$a.docx .nfs0001 .#a #a# a.swp a.swx .fuse_hidden01 .goutputstream-X .syncthing.a.tmp .DS_Store Thumbs.db d/.DS_Store .scan.tif.Ab3dE9",
		},
		{"unless_asked_for", filter{partial: true}, "a.part .nfs0001 .scan.tif.Ab3dE9", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range strings.Split(tt.counts, " ") {
				if rule := tt.filter.leaves(name); rule != "" {
					t.Errorf("%q does not count: %s", name, rule)
				}
			}
			for _, name := range strings.Split(tt.not, " ") {
				if name != "" && tt.filter.leaves(name) == "" {
					t.Errorf("%q counts", name)
				}
			}
		})
	}
}

func TestGlobs_wrong_ones_are_refused(t *testing.T) {
	for glob, part := range map[string]string{
		"[a":                        "is not a glob",
		"{a":                        "is not a glob",
		`a\`:                        "is not a glob",
		"/data/*":                   "begins with /",
		strings.Repeat("{a,b}", 10): "more than 1000",
	} {
		_, err := triggers.Make((&hub{}).make, map[string]any{"dir_path": "/in", "exclude": []any{"ok", glob}})
		if err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "exclude[1]") {
			t.Errorf("%q: %v", glob, err)
		}
	}
}

// FuzzGlobs: what is accepted never panics, never takes long, and means the same with
// and without ignore_case when all is in lower case.
func FuzzGlobs(f *testing.F) {
	for _, glob := range []string{"*", "**", "a/**/b", "{a,b}*", "[a-z]?", `\*`, "**/**/**/x", "{a,{b,c}}", "[^a]", "{a,**/b}"} {
		f.Add(glob, "a/b/c.tif")
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		if len(glob) > 200 || len(name) > 400 {
			return
		}
		made, err := triggers.Make((&hub{}).make, map[string]any{"dir_path": "/in", "include": []any{glob}, "partial": true})
		if err != nil {
			var invalid *graph.Invalid
			if !errors.As(err, &invalid) {
				t.Fatal(err)
			}
			return
		}
		c := made.Source.(*source).filter
		began := time.Now()
		plain := c.leaves(name) == ""
		if took := time.Since(began); took > 2*time.Second {
			t.Fatalf("%q took %s over %q", glob, took, name)
		}
		if c.ignoreCase = true; strings.ToLower(glob) == glob && strings.ToLower(name) == name && plain != (c.leaves(name) == "") {
			t.Errorf("%q over %q: %v, and not so without case", glob, name, plain)
		}
	})
}
