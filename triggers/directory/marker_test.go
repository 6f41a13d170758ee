package directory

import (
	"strings"
	"testing"
)

// pain point 11: markers differ per machine, so they are any of or all of some globs.
func TestMarks(t *testing.T) {
	r := unitRules{
		form: aFolder, fold: true, manifest: "MD5SUMS",
		all: []string{"RTAComplete.txt", "Logs/**/done"}, any: []string{"CopyComplete*", "*.finished"},
	}
	for name, c := range map[string]struct {
		files string
		want  string
	}{
		"nothing_there":            {"a.dat", "waits for RTAComplete.txt; waits for Logs/**/done; waits for one of CopyComplete*, *.finished; waits for the manifest MD5SUMS"},
		"all_there":                {"RTAComplete.txt Logs/done run.finished MD5SUMS", ""},
		"in_any_case":              {"rtacomplete.TXT logs/x/y/Done COPYCOMPLETE.txt md5sums", ""},
		"not_deeper_than_they_say": {"sub/RTAComplete.txt Logs/done sub/x.finished sub/MD5SUMS", "waits for RTAComplete.txt; waits for one of CopyComplete*, *.finished; waits for the manifest MD5SUMS"},
	} {
		t.Run(name, func(t *testing.T) {
			m := r.marks()
			found := make([]int32, len(m.globs))
			for _, file := range strings.Fields(c.files) {
				bits := m.hits(file)
				for i := range found {
					found[i] += int32(bits >> i & 1)
				}
			}
			if got := strings.Join(m.missing(found, ""), "; "); got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestMarks_case_counts_unless_asked_otherwise(t *testing.T) {
	m := (&unitRules{all: []string{"Done.txt"}}).marks()
	if m.hits("done.txt") != 0 || m.hits("Done.txt") != 1 {
		t.Error("case")
	}
}
