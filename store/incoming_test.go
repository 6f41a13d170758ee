package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// arrive uploads data and has it put at rel.
func arrive(t *testing.T, s *Store, rel string, data []byte) (string, error) {
	t.Helper()
	must(s.PutPiece(t.Context(), piece(data, 0, len(data), "token:pc")))(t)
	return s.Receive(t.Context(), Arrival{Trigger: "scans", Rel: rel, SHA256: sumOf(data), Size: int64(len(data)), Owner: "token:pc"})
}

func TestReceive(t *testing.T) {
	t.Run("puts the file where its name says, to be read by everybody", func(t *testing.T) {
		s := openNew(t)
		for rel, want := range map[string]string{
			"a.tif": "a.tif", "run 1/b\nc.tif": "run 1/b\nc.tif", "./x//y": "x/y", "M\xe4rz/\xff.tif": "M%E4rz/%FF.tif", "~2": "~2",
		} {
			data := []byte("of " + rel)
			path, err := arrive(t, s, rel, data)
			if err != nil || path != filepath.Join(s.incoming.dir, "scans", want) {
				t.Errorf("%q: %q %v", rel, path, err)
				continue
			}
			got, err := os.ReadFile(path)
			info, _ := os.Stat(path)
			if err != nil || string(got) != string(data) || info.Mode() != 0o644 {
				t.Errorf("%q: %q %v", rel, got, err)
			}
			if dir, _ := os.Stat(filepath.Dir(path)); dir.Mode().Perm() != 0o755 {
				t.Errorf("its folder is %s", dir.Mode())
			}
		}
		if left := filesIn(t, filepath.Join(s.incoming.dir, halfway)); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})

	t.Run("never writes outside", func(t *testing.T) {
		s := openNew(t)
		for _, rel := range []string{
			"", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "a\x00b", strings.Repeat("x", 300), strings.Repeat("x/", 3000),
		} {
			_, err := arrive(t, s, rel, []byte("x"))
			var bad *RelError
			if !errors.As(err, &bad) {
				t.Errorf("%.20q: %v", rel, err)
			}
		}
		outside := t.TempDir()
		if err := os.MkdirAll(filepath.Join(s.incoming.dir, "scans"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(s.incoming.dir, "scans", "out")); err != nil {
			t.Fatal(err)
		}
		if path, err := arrive(t, s, "out/x", []byte("x")); err == nil {
			t.Errorf("through a link: %s", path)
		}
		if left := filesIn(t, outside); len(left) > 0 {
			t.Errorf("outside are %v", left)
		}
	})

	t.Run("keeps what is there, the same once and another under a number", func(t *testing.T) {
		s := openNew(t)
		for _, step := range []struct{ data, want string }{
			{"one", "a.tar.gz"}, {"one", "a.tar.gz"}, {"two", "a.tar~2.gz"}, {"two", "a.tar~2.gz"}, {"longer", "a.tar~3.gz"}, {"longer", "a.tar~3.gz"}, {"one", "a.tar.gz"},
		} {
			path, err := arrive(t, s, "a.tar.gz", []byte(step.data))
			if err != nil || filepath.Base(path) != step.want {
				t.Errorf("%s: %s %v", step.data, path, err)
			}
		}
		if path, err := arrive(t, s, "a.tar.gz/x", []byte("x")); !errors.As(err, new(*RelError)) {
			t.Errorf("below a file: %s %v", path, err)
		}
	})

	t.Run("what is there is known without its upload, nothing else is", func(t *testing.T) {
		s := openNew(t)
		path, err := arrive(t, s, "a", []byte("one"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Upload(t.Context(), sumOf([]byte("one")), "token:pc"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the upload is kept: %v", err)
		}
		a := Arrival{Trigger: "scans", Rel: "a", SHA256: sumOf([]byte("one")), Size: 3, Owner: "token:pc"}
		if again, err := s.Receive(t.Context(), a); err != nil || again != path {
			t.Errorf("%s %v", again, err)
		}
		a.Rel = "b"
		if _, err := s.Receive(t.Context(), a); !errors.Is(err, ErrNoUpload) {
			t.Errorf("%v", err)
		}
		must(s.PutPiece(t.Context(), piece([]byte("of anna"), 0, 7, "anna")))(t)
		a.SHA256, a.Size = sumOf([]byte("of anna")), 7
		if _, err := s.Receive(t.Context(), a); !errors.Is(err, ErrNoUpload) {
			t.Errorf("somebody else's: %v", err)
		}
	})

	t.Run("a large one that is needed elsewhere, too, is a copy", func(t *testing.T) {
		for _, shared := range []bool{false, true} {
			s := openNew(t)
			data := content(100_000)
			if shared {
				must(s.PutPiece(t.Context(), piece(data, 0, len(data), "anna")))(t)
			}
			path, err := arrive(t, s, "large", data)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o644 || info.Sys().(*syscall.Stat_t).Nlink != 1 {
				t.Errorf("%v %v", info, err)
			}
			if err := os.WriteFile(path, []byte("its users may"), 0o644); err != nil {
				t.Fatal(err)
			}
			if shared && !bytes.Equal(read(t, s, sumOf(data)), data) {
				t.Error("the asset was changed with it")
			}
			if left := filesOf(t, s); (len(left) > 0) != shared {
				t.Errorf("assets: %v", left)
			}
		}
	})

	t.Run("what a crash has left half written goes", func(t *testing.T) {
		s := openNew(t)
		half := filepath.Join(s.incoming.dir, halfway, "x")
		if err := errors.Join(os.MkdirAll(filepath.Dir(half), 0o700), os.WriteFile(half, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		reopen(t, s)
		if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzCleanRel(f *testing.F) {
	for _, rel := range []string{"a/b", "../x", "a//b/./c", "\xff", "a\x00", "/"} {
		f.Add(rel)
	}
	f.Fuzz(func(t *testing.T, rel string) {
		clean, err := cleanRel(rel)
		if err != nil {
			return
		}
		if !filepath.IsLocal(clean) || clean != readable(clean) || filepath.Clean(clean) != clean {
			t.Errorf("%q became %q", rel, clean)
		}
	})
}

// Where a file can't have a second name it gets its only one at once: an empty file under
// it, which would stay after a crash, looks like one that has come.
func TestRenameIn_never_over_something(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, text := range map[string]string{".partial/x": "new", "scans/taken": "old"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := renameIn(root, ".partial/x", "scans/taken"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over something: %v", err)
	}
	if err := renameIn(root, ".partial/x", "scans/free"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"scans/taken": "old", "scans/free": "new", ".partial/x": ""} {
		if text, _ := os.ReadFile(filepath.Join(dir, name)); string(text) != want {
			t.Errorf("%s holds %q", name, text)
		}
	}
	if err := renameIn(root, ".partial/x", "scans/again"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
}
