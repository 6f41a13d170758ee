package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// content is size bytes that don't repeat.
func content(size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = r.Read(b)
	return b
}

func piece(data []byte, from, to int, owner string) Piece {
	return Piece{SHA256: sumOf(data), Size: int64(len(data)), Offset: int64(from), Owner: owner, Body: bytes.NewReader(data[from:to])}
}

func TestUpload(t *testing.T) {
	t.Run("pieces become the asset that was said, large or small", func(t *testing.T) {
		s := openNew(t)
		for _, size := range []int{0, 1, inlineMax, inlineMax + 1, 1 << 20} {
			data := content(size)
			half := size / 2
			if half > 0 {
				u := must(s.PutPiece(t.Context(), piece(data, 0, half, "anna")))(t)
				if u.Complete || u.Received != int64(half) {
					t.Errorf("%d bytes: after a half %+v", size, u)
				}
				if u = must(s.Upload(t.Context(), sumOf(data), "anna"))(t); u.Received != int64(half) || u.Size != int64(size) {
					t.Errorf("%d bytes: it is asked and answers %+v", size, u)
				}
			}
			u := must(s.PutPiece(t.Context(), piece(data, half, size, "anna")))(t)
			if !u.Complete || u.Received != int64(size) || !bytes.Equal(read(t, s, u.SHA256), data) {
				t.Errorf("%d bytes: %+v", size, u)
			}
		}
		if files := filesIn(t, s.pieces.dir); len(files) > 0 {
			t.Errorf("left: %v", files)
		}
	})

	t.Run("what came of a broken piece is kept, over a restart too", func(t *testing.T) {
		s := openNew(t)
		data := content(100_000)
		p := piece(data, 0, 0, "anna")
		p.Body = io.MultiReader(bytes.NewReader(data[:40_000]), failing{strings.NewReader("")})
		if _, err := s.PutPiece(t.Context(), p); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		s = reopen(t, s)
		u := must(s.Upload(t.Context(), sumOf(data), "anna"))(t)
		if u.Received != 40_000 || u.Complete {
			t.Fatalf("%+v", u)
		}
		u = must(s.PutPiece(t.Context(), piece(data, 40_000, len(data), "anna")))(t)
		if !u.Complete || !bytes.Equal(read(t, s, u.SHA256), data) {
			t.Errorf("%+v", u)
		}
	})

	t.Run("a piece has to begin where the last one ended", func(t *testing.T) {
		s := openNew(t)
		data := content(100)
		must(s.PutPiece(t.Context(), piece(data, 0, 50, "anna")))(t)
		for _, from := range []int{0, 49, 51} {
			_, err := s.PutPiece(t.Context(), piece(data, from, 100, "anna"))
			var at *OffsetError
			if !errors.As(err, &at) || at.Received != 50 {
				t.Errorf("from %d: %v", from, err)
			}
		}
		_, err := s.PutPiece(t.Context(), piece(content(99), 7, 99, "anna"))
		var at *OffsetError
		if !errors.As(err, &at) || at.Received != 0 {
			t.Errorf("of which nothing is there: %v", err)
		}
		if files := filesIn(t, s.pieces.dir); len(files) != 1 {
			t.Errorf("left: %v", files)
		}
	})

	t.Run("other bytes than were said are refused, and nothing of them kept", func(t *testing.T) {
		for _, size := range []int{100, 100_000} {
			s := openNew(t)
			p := piece(content(size), 0, size, "anna")
			p.SHA256 = sumOf([]byte("else"))
			_, err := s.PutPiece(t.Context(), p)
			var wrong *HashError
			if !errors.As(err, &wrong) {
				t.Errorf("%v", err)
			}
			if _, err := s.Upload(t.Context(), p.SHA256, "anna"); !errors.Is(err, ErrNotFound) {
				t.Errorf("asked later: %v", err)
			}
			if files := append(filesIn(t, s.pieces.dir), filesOf(t, s)...); len(files) > 0 {
				t.Errorf("left: %v", files)
			}
		}
	})

	t.Run("more than was said is refused", func(t *testing.T) {
		s := openNew(t)
		p := piece(content(100), 0, 100, "anna")
		p.Size = 60
		if _, err := s.PutPiece(t.Context(), p); !errors.Is(err, ErrTooLong) {
			t.Errorf("%v", err)
		}
	})

	t.Run("each has their own, and sees nobody else's", func(t *testing.T) {
		s := openNew(t)
		data := content(50)
		must(s.PutPiece(t.Context(), piece(data, 0, 50, "anna")))(t)
		if _, err := s.Upload(t.Context(), sumOf(data), "bob"); !errors.Is(err, ErrNotFound) {
			t.Errorf("bob is told: %v", err)
		}
		if u := must(s.PutPiece(t.Context(), piece(data, 0, 20, "bob")))(t); u.Complete || u.Received != 20 {
			t.Errorf("bob's: %+v", u)
		}
		if u := must(s.PutPiece(t.Context(), piece(data, 20, 50, "bob")))(t); !u.Complete {
			t.Errorf("bob's: %+v", u)
		}
	})

	t.Run("forgotten before it is whole, nothing stays of it, but what others have sent", func(t *testing.T) {
		s := openNew(t)
		data := content(50)
		must(s.PutPiece(t.Context(), piece(data, 0, 20, "anna")))(t)
		must(s.PutPiece(t.Context(), piece(data, 0, 30, "bob")))(t)
		if err := s.ForgetUpload(t.Context(), sumOf(data), "anna"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Upload(t.Context(), sumOf(data), "anna"); !errors.Is(err, ErrNotFound) {
			t.Errorf("anna's is there: %v", err)
		}
		if u := must(s.Upload(t.Context(), sumOf(data), "bob"))(t); u.Received != 30 {
			t.Errorf("bob's: %+v", u)
		}
	})

	t.Run("forgotten by all who uploaded it, it is removed", func(t *testing.T) {
		s := openNew(t)
		data := content(50_000)
		for _, who := range []string{"anna", "bob"} {
			must(s.PutPiece(t.Context(), piece(data, 0, len(data), who)))(t)
		}
		for i, who := range []string{"anna", "bob", "bob"} {
			if err := s.ForgetUpload(t.Context(), sumOf(data), who); err != nil {
				t.Fatal(err)
			}
			if left := len(filesOf(t, s)) > 0; left != (i == 0) {
				t.Errorf("after %s: is there: %v", who, left)
			}
		}
	})
}

// slow is a body that waits in the middle.
type slow struct {
	head io.Reader
	goOn chan struct{}
	at   chan struct{}
	tail io.Reader
}

func (s *slow) Read(b []byte) (int, error) {
	if n, err := s.head.Read(b); n > 0 || err != io.EOF {
		return n, err
	}
	if s.at != nil {
		close(s.at)
		s.at = nil
		<-s.goOn
	}
	return s.tail.Read(b)
}

func TestUpload_the_latest_of_two_connections_goes_on(t *testing.T) {
	s := openNew(t)
	data := content(50_000)
	body := &slow{head: bytes.NewReader(data[:10_000]), at: make(chan struct{}), goOn: make(chan struct{}), tail: bytes.NewReader(bytes.Repeat([]byte("no"), 20_000))}
	stands, first := body.at, piece(data, 0, 0, "anna")
	first.Body = body
	done := make(chan error, 1)
	go func() {
		_, err := s.PutPiece(context.Background(), first)
		done <- err
	}()
	<-stands
	must(s.PutPiece(t.Context(), piece(data, 10_000, 20_000, "anna")))(t)
	close(body.goOn)
	if err := <-done; !errors.Is(err, ErrTakenOver) {
		t.Errorf("the first one: %v", err)
	}
	u := must(s.PutPiece(t.Context(), piece(data, 20_000, len(data), "anna")))(t)
	if !u.Complete || !bytes.Equal(read(t, s, u.SHA256), data) {
		t.Errorf("%+v", u)
	}
}

func TestUpload_bounds(t *testing.T) {
	begin := func(t *testing.T, s *Store, n int) error {
		_, err := s.PutPiece(t.Context(), piece(content(100+n), 0, 50, "anna"))
		return err
	}
	age := func(t *testing.T, s *Store, by time.Duration) {
		for _, f := range filesIn(t, s.pieces.dir) {
			at := time.Now().Add(-by)
			if err := os.Chtimes(filepath.Join(s.pieces.dir, f), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, o := range map[string]Options{"of their number": {Uploads: 3}, "of their bytes": {UploadBytes: 150}} {
		t.Run(name, func(t *testing.T) {
			s := openAt(t, filepath.Join(t.TempDir(), "s"), o)
			for n := range 3 {
				if err := begin(t, s, n); err != nil {
					t.Fatal(err)
				}
			}
			if err := begin(t, s, 3); !errors.Is(err, ErrUploads) {
				t.Errorf("one too many: %v", err)
			}
			if _, err := s.PutPiece(t.Context(), piece(content(500), 0, 50, "bob")); err != nil {
				t.Errorf("somebody else's: %v", err)
			}
			age(t, s, 2*time.Hour)
			if err := begin(t, s, 3); err != nil {
				t.Errorf("when the others have stood still: %v", err)
			}
			if n := len(filesIn(t, s.pieces.dir)); n != 4 {
				t.Errorf("%d files, want 4", n)
			}
		})
	}
	t.Run("of their age", func(t *testing.T) {
		s := openNew(t)
		if err := begin(t, s, 1); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			age  time.Duration
			left int
		}{{6 * 24 * time.Hour, 1}, {8 * 24 * time.Hour, 0}} {
			age(t, s, step.age)
			if err := s.prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := len(filesIn(t, s.pieces.dir)); n != step.left {
				t.Errorf("after %s %d are there", step.age, n)
			}
		}
	})
}

func filesIn(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// The file stays until the asset has its row: after a crash in between nothing has to be
// sent again.
func TestUpload_goes_on_after_a_crash_before_its_row(t *testing.T) {
	s := openNew(t)
	data := content(100_000)
	p := piece(data, len(data), len(data), "anna")
	path := filepath.Join(s.pieces.dir, p.file())
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f := must(os.Open(path))(t)
	staged := must(s.files.link(t.Context(), f, p.SHA256))(t)
	f.Close()
	s.files.unstage(staged)
	s = reopen(t, s)
	if u := must(s.Upload(t.Context(), p.SHA256, "anna"))(t); u.Received != u.Size || u.Complete {
		t.Errorf("%+v", u)
	}
	u := must(s.PutPiece(t.Context(), p))(t)
	if !u.Complete || !bytes.Equal(read(t, s, u.SHA256), data) {
		t.Errorf("%+v", u)
	}
	if files := append(filesIn(t, s.pieces.dir), filesOf(t, s)...); len(files) != 1 {
		t.Errorf("there are %v", files)
	}
}

// A disk that takes a piece and can't write it says so at the sync, once. What came is
// not believed to be there then.
func TestUpload_a_piece_that_was_not_synced_is_taken_back(t *testing.T) {
	s := openNew(t)
	data := []byte("0123456789")
	must(s.PutPiece(t.Context(), piece(data, 0, 4, "a")))(t)
	p := piece(data, 4, 8, "a")
	turn := s.pieces.enter(p.file())
	defer s.pieces.leave(p.file(), turn)
	f, mine, err := turn.begin(filepath.Join(s.pieces.dir, p.file()), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data[4:8], 4); err != nil {
		t.Fatal(err)
	}
	if err := turn.takeBack(f, mine, 4); err != nil {
		t.Fatal(err)
	}
	if u := must(s.Upload(t.Context(), p.SHA256, "a"))(t); u.Received != 4 {
		t.Errorf("%+v", u)
	}
	if err := turn.takeBack(f, mine-1, 0); err != nil { // another has gone on
		t.Fatal(err)
	}
	if u := must(s.PutPiece(t.Context(), piece(data, 4, 10, "a")))(t); !u.Complete {
		t.Errorf("%+v", u)
	}
}

// Somebody has put a folder among the uploads: it stays, and is complained of, and all
// else that had its time goes.
func TestPrune_one_upload_that_can_not_be_removed_keeps_nothing_else(t *testing.T) {
	s, c := openClocked(t)
	stuck := filepath.Join(s.pieces.dir, "folder")
	if err := errors.Join(os.MkdirAll(filepath.Join(stuck, "inner"), 0o700), os.Chtimes(stuck, c.now(), c.now())); err != nil {
		t.Fatal(err)
	}
	must(s.PutAsset(t.Context(), strings.NewReader("forgotten"), "", "anna"))(t)
	c.pass(s.o.UploadAge + day)
	if err := s.prune(t.Context()); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("it says %v", err)
	}
	if n := rows(t, s, "uploads"); n != 0 {
		t.Errorf("%d uploads stay", n)
	}
}
