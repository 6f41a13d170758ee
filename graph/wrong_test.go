package graph

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected messages in testdata")

// TestParse_wrong_lattices reads testdata/wrong.txtar: each document NAME is followed
// by NAME: with what its author is told.
func TestParse_wrong_lattices(t *testing.T) {
	const file = "testdata/wrong.txtar"
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const least = 40
	if n := len(a.Files) / 2; n < least {
		t.Errorf("%d wrong lattices, at least %d are expected", n, least)
	}
	for i := 0; i+1 < len(a.Files); i += 2 {
		doc, want := a.Files[i], &a.Files[i+1]
		t.Run(strings.ReplaceAll(doc.Name, " ", "_"), func(t *testing.T) {
			if want.Name != doc.Name+":" {
				t.Fatalf("%q follows %q", want.Name, doc.Name)
			}
			got := describeWrong(t, doc.Data)
			if *update {
				want.Data = []byte(got)
			} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// describeWrong lists the problems with their codes.
func describeWrong(t *testing.T, doc []byte) string {
	t.Helper()
	_, err := Parse(doc)
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("the error is %v, an *Invalid is expected", err)
	}
	var b strings.Builder
	for _, p := range invalid.Problems {
		b.WriteString(p.Code + " · " + p.String() + "\n")
	}
	return b.String()
}
