// Package examples_test runs the examples as their readers do.
package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// folders are the examples that are lattices.
var folders = []string{"lennard-jones", "polyfit"}

func TestTheFunctionsOfEachExampleGiveTrueValues(t *testing.T) {
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "python3", "-W", "error", "-m", "unittest")
			cmd.Dir = folder
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("python3 -m unittest in %s: %v\n%s", folder, err, out)
			}
			if !regexp.MustCompile(`(?m)^Ran \d{2,} tests`).Match(out) {
				t.Errorf("unittest ran fewer than ten tests:\n%s", out)
			}
		})
	}
}

// An example can be copied out of the repository, so each carries what it needs.
func TestTheExamplesShareOneChart(t *testing.T) {
	var first []byte
	for _, folder := range folders {
		chart, err := os.ReadFile(filepath.Join(folder, "chart.py"))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, chart) {
			t.Errorf("%s/chart.py differs from %s/chart.py", folder, folders[0])
		}
		first = chart
	}
}
