package runner

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// write makes a file with the folders above it.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// content is what a piece brings.
func content(t *testing.T, p *Piece, fds []int) string {
	t.Helper()
	if !p.FD {
		return string(p.Data)
	}
	b := make([]byte, p.Size+1)
	n, err := preadFull(fds[0], b, 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestGather(t *testing.T) {
	keepsNoDescriptor(t)
	base := t.TempDir()
	dir := filepath.Join(base, "a")
	small, large := "text", strings.Repeat("x", inlineMax+1)
	write(t, dir+"/small", small)
	write(t, dir+"/large", large)
	write(t, dir+"/just", large[1:])
	write(t, dir+"/empty", "")
	write(t, dir+"/sub/deep", small)
	write(t, base+"/secret", "secret")
	l, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(
		unix.Mkfifo(dir+"/fifo", 0o644), os.Symlink("small", dir+"/link"), os.Symlink("../small", dir+"/sub/up"),
		os.Symlink("../secret", dir+"/out"), os.Symlink(base, dir+"/sub/all"), os.Symlink(base+"/secret", dir+"/absolute"),
		os.Symlink("nowhere", dir+"/dangling"), os.Symlink("loop", dir+"/loop"), os.Symlink("fifo", dir+"/sub/tofifo"),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ text, problem string }{
		"small": {small, ""}, "large": {large, ""}, "just": {large[1:], ""}, "empty": {"", ""}, "sub/deep": {small, ""},
		"link": {small, ""}, "sub/up": {small, ""}, "./sub/../small": {small, ""},
		"none": {"", ProblemMissing}, "sub/none": {"", ProblemMissing}, "dangling": {"", ProblemMissing},
		"fifo": {"", ProblemIrreg}, "sub": {"", ProblemIrreg}, "sub/": {"", ProblemIrreg}, "socket": {"", ProblemIrreg}, "./socket": {"", ProblemIrreg}, "./fifo": {"", ProblemIrreg},
		"out": {"", ProblemEscapes}, "absolute": {"", ProblemEscapes}, "sub/all/secret": {"", ProblemEscapes}, "../secret": {"", ProblemEscapes},
		"loop": {"", ProblemError}, "small/x": {"", ProblemError},
	} {
		var fds []int
		p := gather(dir, name, &fds)
		problem := p.Problem
		if strings.HasPrefix(problem, ProblemError) {
			problem = ProblemError
		}
		if p.Name != name || problem != want.problem || int(p.Size) != len(want.text) || p.FD != (len(fds) == 1) || p.FD != (p.Size > inlineMax) {
			t.Errorf("%s: %q, %d bytes, descriptors %v", name, p.Problem, p.Size, fds)
		} else if got := content(t, &p, fds); got != want.text {
			t.Errorf("%s holds %.20q", name, got)
		}
		CloseAll(fds)
	}
	if p := gather(base+"/gone", "x/y", nil); p.Problem != ProblemMissing {
		t.Errorf("in a directory that is gone: %q", p.Problem)
	}
}

// A machine that lacks something for a moment says nothing of the file.
func TestSystemProblem_tells_a_lack_from_a_verdict(t *testing.T) {
	for err, again := range map[error]bool{
		unix.EMFILE: true, unix.ENFILE: true, unix.ENOMEM: true, unix.EAGAIN: true, unix.EINTR: true, unix.EACCES: false, unix.EIO: false,
	} {
		if got := systemProblem(&fs.PathError{Op: "open", Path: "x", Err: err}); strings.HasPrefix(got, ProblemAgain) != again || strings.HasPrefix(got, ProblemError) == again {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestReport_brings_what_was_wanted(t *testing.T) {
	keepsNoDescriptor(t)
	for name, c := range map[string]struct {
		cause   string
		exit    int64
		outputs int
	}{"well": {CauseNone, 0, 2}, "exit": {CauseNone, 1, 0}, "signal": {CauseNone, -1, 0}, "timeout": {CauseTimeout, 0, 0}} {
		t.Run(name, func(t *testing.T) {
			r, s, daemon := testRunner(t)
			a := newAttempt("a", r.work+"/a")
			if err := makeRoom(a); err != nil {
				t.Fatal(err)
			}
			write(t, a.dir+"/result", "1")
			large := strings.Repeat("3", inlineMax+1)
			write(t, a.dir+"/out", large)
			if _, err := unix.Write(a.logs[1], []byte("oops")); err != nil {
				t.Fatal(err)
			}
			a.phase, a.cause, a.exit = ended, c.cause, c.exit
			a.wishes[s] = wish{collect: []string{"result", "absent", ".stdout"}, outputs: []string{"out", "none"}}
			r.report(a, s)
			m, fds, err := daemon.Receive()
			e, ok := m.(*Ended)
			defer CloseAll(fds)
			if err != nil || !ok || len(fds) != c.outputs/2 || e.Exit != c.exit || e.Cause != c.cause || e.WorkDir != a.dir {
				t.Fatalf("%+v %v", m, err)
			}
			var got []string
			for _, p := range e.Collected {
				got = append(got, p.Name+string(p.Data))
			}
			if want := "result1,.stdout"; strings.Join(got, ",") != want {
				t.Errorf("collected %v, want %s", got, want)
			}
			if len(e.Outputs) != c.outputs || c.outputs > 0 && (content(t, &e.Outputs[0], fds) != large || e.Outputs[1].Problem != ProblemMissing) {
				t.Errorf("outputs %+v", e.Outputs)
			}
			if e.Stdout.Size != 0 || e.Stdout.Name != "stdout" || !bytes.Equal(e.Stderr.Data, []byte("oops")) {
				t.Errorf("logs %+v %+v", e.Stdout, e.Stderr)
			}
			closeLogs(a)
		})
	}
}
