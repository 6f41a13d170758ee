package directory

import (
	"regexp"
	"strings"
	"testing"
)

func TestUnitOf(t *testing.T) {
	for name, c := range map[string]struct {
		rules unitRules
		rel   string
		want  string
	}{
		"a_folder_directly_in_the_root": {unitRules{form: aFolder, depth: 1}, "run/a/b.dat", "run: a/b.dat"},
		"a_folder_deeper":               {unitRules{form: aFolder, depth: 2}, "2026/run/b.dat", "2026/run: b.dat"},
		"a_file_beside_the_folders":     {unitRules{form: aFolder, depth: 1}, "b.dat", "none"},
		"a_file_above_the_folders":      {unitRules{form: aFolder, depth: 2}, "2026/b.dat", "none"},
		"the_first_capture":             {unitRules{form: aSet, by: regexp.MustCompile(`^scan-(\d+)\.`)}, "scan-17.bin", "17: scan-17.bin"},
		"all_captures":                  {unitRules{form: aSet, by: regexp.MustCompile(`^(\w+)/img_(\d+)`)}, "run/img_2.tif", "run/2: run/img_2.tif"},
		"no_match":                      {unitRules{form: aSet, by: regexp.MustCompile(`^scan-(\d+)\.`)}, "other.bin", "none"},
		"an_empty_capture":              {unitRules{form: aSet, by: regexp.MustCompile(`^scan-(\d*)`)}, "scan-.bin", "none"},
		"a_file":                        {unitRules{}, "a/b.dat", "a/b.dat: b.dat"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "none"
			if id, within, ok := c.rules.unitOf(c.rel); ok {
				got = id + ": " + within
			}
			if got != c.want {
				t.Error(got)
			}
		})
	}
}

// FuzzKey looks for panics and for keys of nothing.
func FuzzKey(f *testing.F) {
	f.Add(`^scan-(\d+)\.`, "scan-1.dat")
	f.Add(`(a)|(b)`, "b")
	f.Add(`()`, "")
	f.Fuzz(func(t *testing.T, by, rel string) {
		re, err := regexp.Compile(by)
		if err != nil || re.NumSubexp() == 0 || len(by) > maxBy {
			return
		}
		r := unitRules{form: aSet, by: re}
		key, ok := r.key(rel)
		if ok && strings.Trim(key, "/") == "" {
			t.Errorf("%q of %q is %q", by, rel, key)
		}
		for depth := 1; depth < 4; depth++ {
			folder, within, ok := splitDepth(rel, depth)
			if ok && (folder+"/"+within != rel || strings.Count(folder, "/") != depth-1) {
				t.Errorf("%q is %q and %q", rel, folder, within)
			}
		}
	})
}
