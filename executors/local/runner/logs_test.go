package runner

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const kept = 8192 // of each end of a log, in these tests

// logged is a running attempt that has written text to stdout.
func logged(t *testing.T, r *runner, text []byte) *attempt {
	t.Helper()
	r.o.LogKeep = kept
	a := newAttempt("a", r.work+"/a")
	if err := makeRoom(a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeLogs(a) })
	a.phase = running
	r.attempts[a.id] = a
	r.live = 1
	if _, err := writer(a.logs[0]).Write(text); err != nil {
		t.Fatal(err)
	}
	return a
}

// letters are bytes that tell where they are from.
func letters(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}

func blocks(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// Whatever a log grows to, its two ends are kept and its middle takes no space.
func TestCutLogs_take_the_middle_and_nothing_else(t *testing.T) {
	keepsNoDescriptor(t)
	r, _, _ := testRunner(t)
	text := letters(1 << 20)
	a := logged(t, r, text)
	at := len(text)
	for range 20 {
		r.cutLogs()
		if a.uncut {
			t.Fatal("this file system can't make holes")
		}
		on := letters(at + 100_003)[at:]
		if _, err := writer(a.logs[0]).Write(on); err != nil {
			t.Fatal(err)
		}
		text, at = append(text, on...), at+len(on)
	}
	r.cutLogs()
	got, err := os.ReadFile(a.logPath(0))
	if err != nil || len(got) != len(text) || !bytes.Equal(got[:kept], text[:kept]) || !bytes.Equal(got[len(got)-kept:], text[len(text)-kept:]) {
		t.Fatalf("an end is damaged: %v", err)
	}
	for i := range got {
		if got[i] != text[i] && got[i] != 0 {
			t.Fatalf("byte %d became %q", i, got[i])
		}
	}
	if n := blocks(t, a.logPath(0)); n > 8*kept {
		t.Errorf("it takes %d bytes", n)
	}
	// It is told as it was written, not as it lies on the disk.
	logs, problems := openLogs(a)
	var fds []int
	p := r.logPiece(a.dir, "stdout", logs[0], problems[0], &fds)
	defer CloseAll(fds)
	want := string(text[:kept]) + LeftOut(int64(len(text)-2*kept)) + string(text[len(text)-kept:])
	if got := content(t, &p, fds); got != want || p.Omitted != int64(len(text)-2*kept) || p.Problem != "" {
		t.Errorf("%d bytes of %d, %d omitted %s", len(got), len(want), p.Omitted, p.Problem)
	}
}

func TestCutLogs_spare_short_logs_and_what_has_ended(t *testing.T) {
	keepsNoDescriptor(t)
	for name, c := range map[string]struct {
		size int
		in   phase
		cut  bool
	}{
		"long":            {20 * kept, running, true},
		"while_it_ends":   {20 * kept, ending, true},
		"as_long_as_kept": {2 * kept, running, false},
		"hardly_longer":   {2*kept + 4096, running, false},
		"before_its_time": {20 * kept, starting, false},
		"after_its_end":   {20 * kept, ended, false},
	} {
		r, _, _ := testRunner(t)
		a := logged(t, r, letters(c.size))
		a.phase = c.in
		before := blocks(t, a.logPath(0))
		logs, problems := openLogs(a)
		var fds []int
		p := r.logPiece(a.dir, "stdout", logs[0], problems[0], &fds)
		if got := content(t, &p, fds); (p.Omitted > 0) != (c.size > 2*kept) || p.Omitted == 0 && got != string(letters(c.size)) {
			t.Errorf("%s: %d bytes are told, %d omitted", name, len(got), p.Omitted)
		}
		CloseAll(fds)
		if r.cutLogs(); (blocks(t, a.logPath(0)) < before) != c.cut {
			t.Errorf("%s: %d of %d bytes are left", name, blocks(t, a.logPath(0)), before)
		}
	}
}

// Where the middle can't be cut out, an attempt that writes without end is ended.
func TestCutLogs_end_what_writes_too_much_where_nothing_can_be_cut(t *testing.T) {
	for name, limit := range map[string]int64{"too_much": 20*kept - 1, "as_much_as_it_may": 20 * kept} {
		r, _, _ := testRunner(t)
		a := logged(t, r, letters(20*kept))
		a.uncut, a.orphan = true, true
		r.o.LogMax = limit
		if over := r.cutLog(a, 0); over != (name == "too_much") {
			t.Errorf("%s: ended %v", name, over)
		}
		if r.cutLog(a, 1) {
			t.Errorf("%s: ended for the other log", name)
		}
		if r.cutLogs(); name == "too_much" {
			r.settledBy(t, 10*time.Second)
			if a.cause != CauseLogLimit {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

func TestOpenLogs_find_them_without_their_names(t *testing.T) {
	keepsNoDescriptor(t)
	r, _, _ := testRunner(t)
	a := logged(t, r, []byte("text"))
	write := func(path string) {
		if err := errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path)); err != nil {
			t.Fatal(err)
		}
	}
	write(a.logPath(0))
	read := func(i int) (string, string) {
		logs, problems := openLogs(a)
		var fds []int
		p := r.logPiece(a.dir, "x", logs[i], problems[i], &fds)
		CloseAll(logs[1-i : 2-i])
		return string(p.Data), p.Problem
	}
	if text, problem := read(0); text != "text" || problem != "" {
		t.Errorf("while it is open: %q %s", text, problem)
	}
	closeLogs(a)
	if text, problem := read(0); text != "" || problem != ProblemIrreg {
		t.Errorf("a link in its place: %q %s", text, problem)
	}
	if text, problem := read(1); text != "" || problem != "" {
		t.Errorf("the empty one: %q %s", text, problem)
	}
	if err := os.Remove(a.logPath(1)); err != nil {
		t.Fatal(err)
	}
	if text, problem := read(1); text != "" || problem != ProblemMissing {
		t.Errorf("the removed one: %q %s", text, problem)
	}
}

// The disk may be full just because of the log.
func TestHeadAndTail_needs_no_disk(t *testing.T) {
	keepsNoDescriptor(t)
	r, _, _ := testRunner(t)
	a := logged(t, r, letters(10*kept))
	out, err := r.headAndTail(a.dir+"/gone", a.logs[0], 10*kept)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(out)
	p := Piece{FD: true, Size: 2*kept + 100}
	if got := content(t, &p, []int{out}); !strings.Contains(got, LeftOut(8*kept)) || len(got) != 2*kept+len(LeftOut(8*kept)) {
		t.Errorf("%d bytes", len(got))
	}
}
