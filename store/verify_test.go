package store

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hurting calls damage with each file of a backup, and puts the file back.
func hurting(t *testing.T, dir string, damage func(file string, whole []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		whole, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		damage(name, whole)
		return os.WriteFile(name, whole, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// noticed looks that a damaged backup is refused, and for the right file.
func noticed(t *testing.T, dir, file, what string) {
	t.Helper()
	_, err := Verify(t.Context(), dir)
	var d *DamagedError
	if rel, _ := filepath.Rel(dir, file); !errors.As(err, &d) || d.File != filepath.ToSlash(rel) {
		t.Errorf("%s: %s is not noticed: %v", rel, what, err)
	}
}

// places are where a file of so many bytes is hurt: everywhere in a small one.
func places(n int) (at []int) {
	if n <= 2000 {
		for i := range n {
			at = append(at, i)
		}
		return at
	}
	at = []int{0, 18, 99, n / 2, n - 1} // of SQLite: the header, a version, a counter
	for range 60 {
		at = append(at, rand.IntN(n))
	}
	return at
}

func TestVerify_notices_every_byte_that_changed_and_every_one_that_is_missing(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	withAssets(t, s, l, "1")
	dir := backedUp(t, s)
	kinds := map[string]int{}
	hurting(t, dir, func(file string, whole []byte) {
		for _, at := range places(len(whole)) {
			changed := append([]byte(nil), whole...)
			changed[at] ^= 1 << rand.IntN(8)
			for what, content := range map[string][]byte{"a changed byte": changed, "the end cut off": whole[:at]} {
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
				noticed(t, dir, file, what)
			}
			kinds[strings.Split(strings.TrimPrefix(file, dir+"/"), "/")[0]]++
		}
		for what, content := range map[string][]byte{"a byte more": append(whole[:len(whole):len(whole)], 'x'), "a line more": append(whole[:len(whole):len(whole)], '\n')} {
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			noticed(t, dir, file, what)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		noticed(t, dir, file, "its removal")
	})
	if len(kinds) != 3 {
		t.Errorf("it tried %v", kinds)
	}
	if _, err := Verify(t.Context(), dir); err != nil {
		t.Errorf("put back it is whole: %v", err)
	}
	// In the manifest case and blanks count, too, which JSON doesn't mind.
	name := filepath.Join(dir, manifestName)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string]string{
		"another case": strings.Replace(string(whole), `"version"`, `"Version"`, 1), "a blank": " " + string(whole), "no hash": strings.Replace(string(whole), `"sha256"`, `"sha257"`, 1),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		noticed(t, dir, name, what)
	}
}
