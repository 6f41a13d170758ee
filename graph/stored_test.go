package graph

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLoad_reads_what_every_release_stored keeps promises to those who upgrade: a
// document of testdata/stored is never changed, a release may add one.
func TestLoad_reads_what_every_release_stored(t *testing.T) {
	files, err := filepath.Glob("testdata/stored/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %d documents", err, len(files))
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		l, err := Load(doc)
		if err != nil {
			t.Errorf("%s can't be loaded any more: %v", file, err)
			continue
		}
		if canonical, err := Canonical(mustDecode(t, doc)); err != nil || string(canonical) != string(doc) {
			t.Errorf("%s is %s now, so its id changed (%v)", file, canonical, err)
		}
		if again, err := Parse(doc); err != nil || again.ID != l.ID {
			t.Errorf("%s is another lattice when it is sent: %v", file, err)
		}
	}
}

func mustDecode(t *testing.T, raw []byte) any {
	t.Helper()
	v, err := DecodeValue(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
