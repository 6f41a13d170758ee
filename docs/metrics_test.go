package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var metricName = regexp.MustCompile(`"(latticed_[a-z_]+)"`)

// madeMetrics finds the names of metrics in the source.
func madeMetrics(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range metricName.FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestHTTP_lists_every_metric(t *testing.T) {
	page, err := os.ReadFile("http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## All metrics\n")
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^(latticed_[a-z_]+)  +\S`).FindAllStringSubmatch(rest, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	made := madeMetrics(t)
	if len(made) < 40 {
		t.Fatalf("only %d metrics were found", len(made))
	}
	for _, name := range made {
		if !slices.Contains(listed, name) {
			t.Errorf("%s is served and not listed", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(made, name) {
			t.Errorf("%s is listed and not served", name)
		}
	}
	if len(listed) != len(slices.Compact(slices.Clone(listed))) {
		t.Error("some are listed twice")
	}
}
