package dispatcher

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

func TestLooks_read_only_what_was_touched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, paths := newLooks(), map[string]string{"image": path}
	first := l.at(paths, contents)["image"]
	if first.SHA256 == "" || l.at(paths, nil)["image"].SHA256 != "" {
		t.Errorf("the content is %q", first.SHA256)
	}
	d := decision{was: graph.Fingerprint{Paths: map[string]graph.Path{"image": first.Path}}}
	if now := l.at(paths, d.touched)["image"]; now.SHA256 != "" {
		t.Error("a file that nobody touched was read")
	} else if known, why := l.compare(first.Path, "dispatch 1", now); why != "" || known.SHA256 != first.SHA256 {
		t.Errorf("%+v: %s", known, why)
	}
	if err := os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if now := l.at(paths, d.touched)["image"]; now.SHA256 != first.SHA256 {
		t.Errorf("a file that was touched has the content %q, not %q", now.SHA256, first.SHA256)
	}
}
