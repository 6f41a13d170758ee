package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

// errReader reads its text; "!" fails.
type failing struct{ r io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		return n, errRefused
	}
	return n, err
}

func errReader(s string) io.Reader {
	if strings.HasSuffix(s, "!") {
		return failing{strings.NewReader(s)}
	}
	return strings.NewReader(s)
}

func sumOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func read(t testing.TB, s *Store, sha string) []byte {
	t.Helper()
	r := must(s.OpenAsset(t.Context(), sha))(t)
	defer r.Close()
	return must(io.ReadAll(r))(t)
}

// filesOf lists the files below assets/.
func filesOf(t testing.TB, s *Store) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(s.files.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAssets(t *testing.T) {
	t.Run("come back byte for byte, small ones in a row, large ones in a file", func(t *testing.T) {
		s := openNew(t)
		for size, inFile := range map[int]bool{0: false, 1: false, inlineMax: false, inlineMax + 1: true, 1 << 20: true} {
			data := bytes.Repeat([]byte{0, 'x', 0xff}, size/3+1)[:size]
			a := must(s.PutAsset(t.Context(), bytes.NewReader(data), strings.ToUpper(sumOf(data)), "anna"))(t)
			if a.SHA256 != sumOf(data) || a.Size != int64(size) || !bytes.Equal(read(t, s, a.SHA256), data) {
				t.Errorf("%d bytes came back otherwise", size)
			}
			_, err := os.Stat(s.files.path(a.SHA256))
			if (err == nil) != inFile {
				t.Errorf("%d bytes: file %v", size, err)
			}
			r := must(s.OpenAsset(t.Context(), a.SHA256))(t)
			if n, err := r.Seek(0, io.SeekEnd); err != nil || n != int64(size) {
				t.Errorf("seek: %d %v", n, err)
			}
			r.Close()
		}
	})

	t.Run("other bytes than declared are refused and leave nothing", func(t *testing.T) {
		s := openNew(t)
		for _, size := range []int{3, inlineMax + 1} {
			data := bytes.Repeat([]byte("x"), size)
			var h *HashError
			if _, err := s.PutAsset(t.Context(), bytes.NewReader(data), strings.Repeat("0", 64), "anna"); !errors.As(err, &h) || h.Actual != sumOf(data) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
		if rows(t, s, "assets") != 0 || len(filesOf(t, s)) != 0 {
			t.Error("something was kept")
		}
	})

	t.Run("a reader that fails leaves nothing", func(t *testing.T) {
		s := openNew(t)
		for _, size := range []int{3, inlineMax + 1} {
			if _, err := s.StageAsset(t.Context(), errReader(strings.Repeat("x", size)+"!")); !errors.Is(err, errRefused) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
		if fs := filesOf(t, s); len(fs) != 0 {
			t.Errorf("files %v", fs)
		}
	})

	t.Run("what nobody stored is not found", func(t *testing.T) {
		s := openNew(t)
		for _, sha := range []string{"", "x", "../../etc/passwd", strings.Repeat("0", 64)} {
			if _, err := s.OpenAsset(t.Context(), sha); !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: %v", sha, err)
			}
		}
	})

	t.Run("a staged file is nobody's until a step names it", func(t *testing.T) {
		s := openNew(t)
		big := bytes.Repeat([]byte("x"), 1<<18)
		a := must(s.StageAsset(t.Context(), bytes.NewReader(big)))(t)
		if _, err := s.OpenAsset(t.Context(), a.SHA256); !errors.Is(err, ErrNotFound) {
			t.Errorf("staged: %v", err)
		}
		d := claimed(t, s, withLattice(t, s, "x", 1))
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		c := change(0, graph.Running, graph.Completed)
		c.Result = &a.Asset
		advance(t, s, graph.Step{Dispatch: d.ID, Assets: []graph.NewAsset{a}, Electrons: []graph.ElectronChange{c}})
		if !bytes.Equal(read(t, s, a.SHA256), big) {
			t.Error("other bytes")
		}
		if len(s.files.staged) != 0 {
			t.Errorf("still counted: %v", s.files.staged)
		}
	})

	t.Run("many stage the same bytes at once", func(t *testing.T) {
		s := openNew(t)
		big := bytes.Repeat([]byte("x"), 1<<17)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := s.PutAsset(background(), bytes.NewReader(big), "", "anna"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if fs := filesOf(t, s); len(fs) != 1 || rows(t, s, "assets") != 1 || len(s.files.staged) != 0 {
			t.Errorf("files %v, staged %v", fs, s.files.staged)
		}
	})
}

func TestSweep(t *testing.T) {
	s := openNew(t)
	kept := must(s.PutAsset(t.Context(), bytes.NewReader(bytes.Repeat([]byte("k"), 1<<16)), "", "anna"))(t)
	orphan := must(s.StageAsset(t.Context(), bytes.NewReader(bytes.Repeat([]byte("o"), 1<<16))))(t)
	tmp := filepath.Join(s.files.dir, stagePrefix+"1")
	if err := os.WriteFile(tmp, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	for _, f := range []string{tmp, s.files.path(orphan.SHA256), s.files.path(kept.SHA256)} {
		if err := os.Chtimes(f, past, past); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s)
	if fs := filesOf(t, s); len(fs) != 1 || fs[0] != kept.SHA256 {
		t.Errorf("files %v, want %s alone", fs, kept.SHA256)
	}
}

func TestUploadsWaitSevenDays(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "s")
	at := func(d time.Duration) Options { return Options{Now: func() time.Time { return now.Add(d) }} }
	s := openAt(t, dir, at(0))
	var shas []string
	for _, size := range []int{3, 1 << 16, 1 << 17} {
		shas = append(shas, must(s.PutAsset(t.Context(), bytes.NewReader(bytes.Repeat([]byte("u"), size)), "", "anna"))(t).SHA256)
	}
	l, err := graph.Parse(fmt.Appendf(nil, `{"lattice":"x","include":{"a.bin":{"sha256":%q}},"electrons":{"e":{"run":["cat","a.bin"]}}}`, shas[2]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.InsertLattice(t.Context(), l, false, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		age   time.Duration
		files int
	}{{7*24*time.Hour - time.Minute, 2}, {7*24*time.Hour + time.Minute, 1}} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, dir, at(test.age))
		if fs := filesOf(t, s); len(fs) != test.files {
			t.Errorf("after %v: %d files, want %d", test.age, len(fs), test.files)
		}
	}
	if n := rows(t, s, "assets"); n != 1 {
		t.Errorf("%d assets, want the lattice's", n)
	}
	if err := s.DeleteLattice(t.Context(), l.ID); err != nil {
		t.Fatal(err)
	}
	if fs := filesOf(t, s); len(fs) != 0 || rows(t, s, "assets") != 0 {
		t.Errorf("left: %v", fs)
	}
}
