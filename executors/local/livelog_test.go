package local

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/latticed/latticed/executors/local/runner"
)

const logBlock = 64 << 10

// logOf writes one block for each letter, and makes a hole of each '-'.
func logOf(t testing.TB, blocks string) (*liveLog, string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	want, hole := "", int64(0)
	end := func() {
		if hole > 0 {
			want += runner.LeftOut(hole)
		}
		hole = 0
	}
	for i, c := range []byte(blocks) {
		if _, err := f.Write(bytes.Repeat([]byte{c}, logBlock)); err != nil {
			t.Fatal(err)
		}
		if c == '-' {
			punch(t, f, int64(i)*logBlock, logBlock)
			hole += logBlock
			continue
		}
		end()
		want += strings.Repeat(string(c), logBlock)
	}
	end()
	return &liveLog{f: f}, want
}

func punch(t testing.TB, f *os.File, at, n int64) {
	t.Helper()
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, n); err != nil {
		t.Fatal(err)
	}
}

func TestLiveLog_shows_holes_as_lines(t *testing.T) {
	for _, blocks := range []string{"", "a", "ab", "a-b", "a---b", "-a", "a-", "-", "a-b-c", "a\x00b", "\x00-\x00"} {
		l, want := logOf(t, blocks)
		got, err := io.ReadAll(l)
		if err != nil || string(got) != want {
			t.Errorf("%q: %d bytes, want %d, %v", blocks, len(got), len(want), err)
		}
		if pos, err := l.Seek(0, io.SeekCurrent); pos != int64(len(want)) || err != nil {
			t.Errorf("%q: at %d, %v", blocks, pos, err)
		}
	}
}

// Wherever it is read from, it is the same log.
func TestLiveLog_seek(t *testing.T) {
	l, want := logOf(t, "a--b-c")
	rapid.Check(t, func(t *rapid.T) {
		end, err := l.Seek(0, io.SeekEnd)
		if err != nil || end != int64(len(want)) {
			t.Fatalf("its end is at %d of %d, %v", end, len(want), err)
		}
		at := rapid.Int64Range(0, end).Draw(t, "at")
		if rapid.Bool().Draw(t, "near a line") {
			at = min(max(0, int64(strings.Index(want, "\n[latticed"))+rapid.Int64Range(-3, 60).Draw(t, "off")), end)
		}
		if _, err := l.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(l)
		if err != nil || string(got) != want[at:] {
			t.Fatalf("from %d: %d bytes, want %d, %v", at, len(got), len(want)-int(at), err)
		}
	})
	if _, err := l.Seek(-1, io.SeekStart); err == nil {
		t.Error("an offset before the start was accepted")
	}
}

// The runner cuts while somebody reads, and the attempt goes on writing.
func TestLiveLog_follows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &liveLog{f: r}
	defer l.Close()
	read := func() string {
		b, err := io.ReadAll(l)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write := func(c string, n int) {
		if _, err := w.WriteString(strings.Repeat(c, n)); err != nil {
			t.Fatal(err)
		}
	}
	write("a", logBlock)
	if got := read(); got != strings.Repeat("a", logBlock) {
		t.Fatalf("%d bytes", len(got))
	}
	write("b", 3*logBlock)
	punch(t, w, logBlock, 2*logBlock)
	if got, want := read(), runner.LeftOut(2*logBlock)+strings.Repeat("b", logBlock); got != want {
		t.Fatalf("%d bytes, want %d", len(got), len(want))
	}
	if read() != "" {
		t.Error("more than was written")
	}
	write("c", 10)
	if got := read(); got != "cccccccccc" {
		t.Errorf("%q", got)
	}
}
